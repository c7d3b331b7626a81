import { reasonOf } from '../../domain/errors.ts';
import type { LiveReport } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import { within } from '../../platform/waiting/within.ts';
import type { RedisConnection } from '../../redis/redis-access.ts';

const EVERY_MS = 1_000;
const CLOSE_MS = 500;
/** A process that died is gone from `status` after this long. */
const EXPIRE_MS = 10_000;

/** Publishes this process's report where `status` finds it. */
export function publishReports(options: {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly owner: { readonly host: string; readonly pid: number };
  readonly report: () => Promise<LiveReport>;
  readonly log: Log;
}): { close(): Promise<void> } {
  const { connection, log } = options;
  const key = `${reportKeys(options.prefix)}${options.owner.host}:${options.owner.pid}`;
  let busy: Promise<void> | null = null;

  async function publishNow(): Promise<void> {
    try {
      await connection.set(key, JSON.stringify(await options.report()), 'PX', EXPIRE_MS);
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
      if (connection.status === 'ready') await connection.del(key).catch(() => undefined);
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
  freshMs: number = EXPIRE_MS,
): Promise<LiveReport[]> {
  // SCAN may name a key twice while Redis resizes its table.
  const keys = new Set<string>();
  let cursor = '0';
  do {
    const [next, found] = await connection.scan(cursor, 'MATCH', `${reportKeys(prefix)}*`, 'COUNT', 1000);
    cursor = next;
    for (const key of found) keys.add(key);
  } while (cursor !== '0');
  const texts = await Promise.all([...keys].map(fresh));

  async function fresh(key: string): Promise<string | null> {
    const [text, leftMs] = await Promise.all([connection.get(key), connection.pttl(key)]);
    return EXPIRE_MS - leftMs <= freshMs ? text : null;
  }

  return texts.filter((text) => text !== null).map((text) => JSON.parse(text) as LiveReport);
}

function reportKeys(prefix: string): string {
  return `${prefix}:process:`;
}
