import type { Redis } from 'ioredis';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { kindOfTrouble, type RedisTrouble, redisFailure } from './redis-failure.ts';
import type { RedisTarget } from './redis-target.ts';

/** What Redis answers to commands while it is there: rights taken away, writes refused, a replica in the primary's place. */
export interface LastingTrouble {
  heard(error: unknown): void;
}

/** What is over by then was a failover, or a disk that had a moment of nothing left. */
const LASTS_MS = 3_000;
/** Not heard of for so long: over. BullMQ tries again every 15 s. */
const OVER_MS = 60_000;

/**
 * Says once per kind what stops this process, with its fix, when it lasts: libraries and rooms try again, and log each
 * try for debugging only.
 */
export function lastingTrouble(options: {
  readonly target: RedisTarget;
  readonly prefix: string;
  readonly log: Log;
  /** Milliseconds, never going back. */
  readonly monotonicMs: () => number;
}): LastingTrouble {
  const { target, prefix, log, monotonicMs } = options;
  const known = new Map<RedisTrouble, { sinceMs: number; lastMs: number; isSaid: boolean }>();

  return {
    heard(error) {
      const kind = kindOfTrouble(reasonOf(error));
      // That there is no connection is said by the connection.
      if (kind === 'away') return;
      const nowMs = monotonicMs();
      const before = known.get(kind);
      const trouble =
        before === undefined || nowMs - before.lastMs > OVER_MS
          ? { sinceMs: nowMs, lastMs: nowMs, isSaid: false }
          : before;
      trouble.lastMs = nowMs;
      known.set(kind, trouble);
      if (trouble.isSaid || nowMs - trouble.sinceMs < LASTS_MS) return;
      trouble.isSaid = true;
      const { code, message } = redisFailure(error, { target, prefix });
      log.warn({ code }, message);
    },
  };
}

/** Hears of every command of a connection that fails, whoever sent it, and of errors of the connection itself. */
export function hearTrouble(connection: Redis, { heard }: LastingTrouble): void {
  const send = connection.sendCommand.bind(connection);
  connection.sendCommand = (command, ...rest) => {
    const answer = send(command, ...rest);
    command.promise.catch(heard);
    return answer;
  };
  connection.on('error', heard);
}
