import { type Logger, pino } from 'pino';
import type { Log } from '../domain/log.ts';

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/**
 * JSON lines on stderr, so that stdout stays for results. Written before the event loop turns: a destination that
 * writes some time later loses everything it still holds when the process is killed.
 */
export function openLogger(level: LogLevel): Log {
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
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
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
