import { format } from 'node:util';
import type { Log } from '../domain/log.ts';

/**
 * What libraries print by themselves, and what Node warns of, goes into the log: a line of plain text among the JSON is
 * lost on whoever reads that by program. Each text once. What BullMQ and ioredis print we find out, and say, ourselves.
 */
export function logLibraryLines(log: Log): void {
  const said = new Set<string>();
  const once = (text: string, say: () => void): void => {
    if (said.has(text)) return;
    said.add(text);
    say();
  };
  for (const name of ['log', 'info', 'warn', 'error'] as const)
    console[name] = (...parts: unknown[]) => {
      const text = format(...parts);
      once(text, () => log.debug({ library: true }, text));
    };
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) =>
    once(`${name}: ${message}`, () => log.warn({ library: true }, `${name}: ${message}`)),
  );
}
