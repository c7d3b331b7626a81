import { createInterface } from 'node:readline/promises';
import type { PublicQuestion } from '../../operations/control/acknowledgements.ts';
import { formatBytes } from '../../platform/units.ts';
import { printable } from '../screen/terminal.ts';

/** Whether a public destination may be used: a flag says so, or a person at a terminal does (G9). */
export async function confirmPublic(question: PublicQuestion, saidYes: boolean): Promise<boolean> {
  if (saidYes) return true;
  if (!(process.stdin.isTTY && process.stderr.isTTY)) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const { destination, origin, files, bytes } = question;
    const options = `${destination} (${origin}) makes every file readable by anyone who has its URL, and cannot delete it.`;
    const now = `${files} files, ${formatBytes(bytes)}, would go now, and for a watched folder every file that arrives later.`;
    // Ctrl-C and Ctrl-D reject: whoever does not answer has not agreed.
    const answer = await terminal.question(`${printable(options)}\n${now} Go on? [y/N] `).catch(() => '\n');
    if (answer === '\n') process.stderr.write('\n');
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
