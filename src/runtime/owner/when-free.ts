import { setTimeout as pause } from 'node:timers/promises';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';

/** The lease of a host that is gone ends after 15 s, its lock on the journal after 20 s. */
const TAKE_OVER_MS = 25_000;
const TRY_EVERY_MS = 500;

/** Waits, once for everything that an owner takes, for what a process of another host may have left behind. */
export interface TakeOver {
  /**
   * @param take tried again while it throws `source_owned` or `journal_owned` with another host in it; a process of this
   *   host is known to live, and is not waited for
   * @throws SlipwayError `owned_elsewhere` when it is not free in time, and whatever else `take` throws
   */
  whenFree<T>(take: () => T | Promise<T>): Promise<T>;
}

/** @param options.host identity of this host, as leases and locks have it */
export function takeOver(options: {
  readonly source: string;
  readonly host: string;
  readonly log: Log;
  readonly forMs?: number;
}): TakeOver {
  const { source, host, log, forMs = TAKE_OVER_MS } = options;
  let deadlineMs: number | null = null;

  return {
    async whenFree(take) {
      for (;;) {
        try {
          return await take();
        } catch (error) {
          if (!isElsewhere(error, host)) throw error;
          const nowMs = performance.now();
          if (deadlineMs === null) {
            deadlineMs = nowMs + forMs;
            log.info(
              { source, host: error.details.host, pid: error.details.pid },
              `another host works on source ${source}, or did until it went away: waiting up to ${forMs / 1_000} s for it to be free`,
            );
          }
          if (nowMs >= deadlineMs)
            throw new SlipwayError(
              'owned_elsewhere',
              { reason: reasonOf(error), seconds: Math.round(forMs / 1_000) },
              { cause: error },
            );
          await pause(Math.min(TRY_EVERY_MS, deadlineMs - nowMs));
        }
      }
    },
  };
}

function isElsewhere(error: unknown, host: string): error is SlipwayError {
  if (!(error instanceof SlipwayError)) return false;
  const { code, details } = error;
  // Two containers may share a host's name, so it is the identity that counts.
  if (code === 'source_owned') return details.host !== host;
  return code === 'journal_owned' && details.pids !== host;
}
