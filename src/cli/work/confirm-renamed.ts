import { createInterface } from 'node:readline/promises';
import type { RenameAnswer, RenameQuestion } from '../../operations/control/renamed-sources.ts';
import { printable } from '../screen/terminal.ts';

/** Whether a source goes on with the records of another name, or is a new one: only a person at a terminal knows. */
export async function confirmRenamed(question: RenameQuestion): Promise<RenameAnswer> {
  if (!(process.stdin.isTTY && process.stderr.isTTY)) return null;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const { source, was, known, files, path } = question;
    const found = `${known} of the ${files} files in ${path} are recorded already by a source called ${was}. Is ${source} that source under a new name (nothing is sent again), or another one (all of it is sent)?`;
    // Ctrl-C and Ctrl-D reject: whoever does not answer has not said anything.
    const answer = await terminal.question(`${printable(found)}\n[r]enamed / [n]ew: `).catch(() => '\n');
    if (answer === '\n') process.stderr.write('\n');
    const word = answer.trim().toLowerCase();
    if (/^r(enamed)?$/.test(word)) return 'renamed';
    return /^n(ew)?$/.test(word) ? 'new' : null;
  } finally {
    terminal.close();
  }
}
