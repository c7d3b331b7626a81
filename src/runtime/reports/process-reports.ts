import { reasonOf } from '../../domain/errors.ts';
import type { LiveReport } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import { within } from '../../platform/waiting/within.ts';
import {
  forgetProcessRecord,
  readProcessRecords,
  writeProcessRecord,
} from '../../redis/coordination/process-records.ts';
import type { RedisConnection } from '../../redis/redis-access.ts';

const EVERY_MS = 1_000;
const CLOSE_MS = 500;

/** Publishes this process's report where `status` finds it. */
export function publishReports(options: {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly owner: { readonly host: string; readonly pid: number };
  readonly report: () => Promise<LiveReport>;
  readonly log: Log;
}): { close(): Promise<void> } {
  const { connection, prefix, log } = options;
  const member = `${options.owner.host}:${options.owner.pid}`;
  let busy: Promise<void> | null = null;

  async function publishNow(): Promise<void> {
    try {
      await writeProcessRecord(connection, prefix, member, JSON.stringify(await options.report()));
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'report not published');
    }
  }

  function publish(): void {
    // During an outage commands wait; one report is enough to wait with.
    if (busy !== null || connection.status !== 'ready') return;
    busy = publishNow().finally(() => {
      busy = null;
    });
  }

  const timer = setInterval(publish, EVERY_MS);
  return {
    async close() {
      clearInterval(timer);
      // One under way would come back after it has been taken away.
      await within(busy ?? Promise.resolve(), CLOSE_MS);
      if (connection.status === 'ready')
        await forgetProcessRecord(connection, prefix, member).catch(() => undefined);
    },
  };
}

/**
 * The reports of all live processes.
 * @param freshMs leaves out what was published longer ago, by the clock of Redis
 */
export async function readReports(
  connection: RedisConnection,
  prefix: string,
  freshMs?: number,
): Promise<LiveReport[]> {
  const texts = await readProcessRecords(connection, prefix, freshMs);
  return texts.map((text) => JSON.parse(text) as LiveReport);
}
