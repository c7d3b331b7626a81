import type { Log } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { type Paint, printable, type Terminal } from './terminal.ts';

/** The log of a command whose progress a person follows: what went wrong, in lines that stay. */
export function terminalLog(terminal: Terminal, paint: Paint): Log {
  return {
    debug() {},
    info() {},
    warn: (_fields, message) => terminal.say(`${paint.bad('!')} ${printable(message)}`),
    error: (_fields, message) => terminal.say(`${paint.bad('✗')} ${printable(message)}`),
  };
}

/** The line of a file that did not get through; null for one that did. */
export function troubleLine({ path, status, error }: Receipt, paint: Paint): string | null {
  if (error === null) return null;
  const mark = status === 'failed' ? paint.bad('✗') : paint.faint('–');
  return `${mark} ${printable(path)} ${status}: ${printable(error.message)}`;
}
