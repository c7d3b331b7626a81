import { type Logger, pino } from 'pino';
import type { Log } from '../domain/log.ts';

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/**
 * JSON lines on stderr, so that stdout stays for results. Synchronous: an asynchronous destination loses everything
 * it still holds when the process is killed.
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
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
