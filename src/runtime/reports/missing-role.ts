import type { Role } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import type { RedisConnection } from '../../redis/redis-access.ts';
import { readReports } from './process-reports.ts';

/** The others publish once a second; this leaves time to be told within 5 s. */
const LOOK_EVERY_MS = 4_000;
/** A process that was killed leaves its last report behind for a while. */
const FRESH_MS = 3_000;

/** Says so when one role runs and nobody does the other half: files would wait for ever, without a word. */
export function watchForMissingRole(options: {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly roles: readonly Role[];
  readonly sources: readonly string[];
  readonly log: Log;
}): { close(): void } {
  const { connection, prefix, roles, sources, log } = options;
  const missing = (['intake', 'worker'] as const).find((role) => !roles.includes(role));
  if (missing === undefined) return { close() {} };

  const alone = new Set<string>();
  let looking = false;
  let isThere = true;
  let closed = false;

  async function look(role: Role): Promise<void> {
    const reports = await readReports(connection, prefix, FRESH_MS);
    if (closed) return;
    for (const source of sources) {
      if (reports.some((report) => report.roles.includes(role) && report.serves.includes(source))) {
        alone.delete(source);
        continue;
      }
      if (alone.has(source)) continue;
      alone.add(source);
      const fix = role === 'worker' ? 'start `slipway worker`' : 'start `slipway intake`';
      log.warn(
        { source },
        `nobody does the ${role} of source ${source}, its files wait: ${fix} with the same Redis and prefix`,
      );
    }
  }

  const timer = setInterval(() => {
    const wasThere = isThere;
    isThere = connection.status === 'ready';
    // In an outage nobody could renew a report; the others come back a moment later as well.
    if (looking || !isThere || !wasThere) return;
    looking = true;
    look(missing)
      .catch(() => undefined)
      .finally(() => {
        looking = false;
      });
  }, LOOK_EVERY_MS);
  return {
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}
