import type { Log } from '../domain/log.ts';
import type { Role } from './live-report.ts';
import { readReports } from './process-reports.ts';
import type { RedisConnection } from './redis-access.ts';

/** The others publish once a second; this leaves time to be told within 5 s. */
const LOOK_AFTER_MS = 4_000;

/** Says so when one role runs and nobody does the other half: files would wait for ever, without a word. */
export function watchForCounterpart(options: {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly roles: readonly Role[];
  readonly sources: readonly string[];
  readonly log: Log;
}): { close(): void } {
  const { connection, prefix, roles, sources, log } = options;
  const missing = (['intake', 'worker'] as const).find((role) => !roles.includes(role));
  if (missing === undefined) return { close() {} };

  async function look(role: Role): Promise<void> {
    const reports = await readReports(connection, prefix);
    for (const source of sources) {
      if (reports.some((report) => report.roles.includes(role) && report.serves.includes(source))) continue;
      const fix = role === 'worker' ? 'start `slipway worker`' : 'start `slipway intake`';
      log.warn(
        { source },
        `nobody does the ${role} of source ${source}, its files wait: ${fix} with the same Redis and prefix`,
      );
    }
  }
  const timer = setTimeout(() => void look(missing).catch(() => undefined), LOOK_AFTER_MS);
  return { close: () => clearTimeout(timer) };
}
