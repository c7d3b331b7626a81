import { type Logger, pino } from 'pino';
import {
  orderedSecrets,
  redactData,
  redactText,
  type Secrets,
} from '../destinations/answer/redact-secrets.ts';
import type { Log } from '../domain/log.ts';

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/**
 * JSON lines on stderr, without the configured secrets, so that stdout stays for results. Written before the event loop turns: a destination that
 * writes some time later loses everything it still holds when the process is killed.
 * @param secrets the list of the config (G5)
 */
export function openLogger(level: LogLevel, secrets: readonly string[] = []): Log {
  const known = orderedSecrets(secrets);
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: ['authorization', 'Authorization', 'token', '*.authorization', '*.Authorization', '*.token'],
        remove: true,
      },
    },
    inOneWrite(pino.destination({ dest: 2, sync: true })),
  );
  const write =
    (at: keyof Log): Log[keyof Log] =>
    (fields, message) => {
      if (known.length === 0 || !logger.isLevelEnabled(at)) logger[at](fields, message);
      else logger[at](withoutSecrets(fields, known), redactText(message, known));
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** What things are called stays as it is: a folder may have the name that a header has as its value. */
const NAMES: ReadonlySet<string> = new Set(['source', 'destination', 'endpoint', 'path', 'id', 'batch']);

function withoutSecrets(fields: object, secrets: Secrets): object {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      NAMES.has(key) ? value : redactData(value instanceof Error ? value.message : value, secrets),
    ]),
  );
}

/** A batch of receipts is hundreds of lines from one loop; each in a system call of its own costs as much as the rest. */
function inOneWrite(destination: { write(text: string): unknown }): { write(line: string): void } {
  let held = '';
  function flush(): void {
    const text = held;
    held = '';
    if (text !== '') destination.write(text);
  }
  process.on('exit', flush);
  return {
    write(line) {
      if (held === '') queueMicrotask(flush);
      held += line;
    },
  };
}
