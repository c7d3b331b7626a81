import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { comparedRun } from '../../redis/coordination/compared-mark.ts';
import type { RedisAccess } from '../../redis/redis-access.ts';

const LOOK_EVERY_MS = 200;

/**
 * Whether the Redis behind the connection is one that the owner has compared with its ledger: from the first moment, and
 * again after every loss of the connection, no job is taken before it is. What was recorded would be sent again. Workers of
 * the owner's own process wait as well (rules openGate, ownGate).
 * @param options.set told of it; at once that it is not
 */
export function watchForComparison(options: {
  readonly redis: Pick<RedisAccess, 'connection' | 'onLost'>;
  readonly prefix: string;
  readonly source: string;
  readonly set: (compared: boolean) => void;
  readonly log: Log;
}): { run(): string | null; close(): void } {
  const { redis, prefix, source, set, log } = options;
  const { connection } = redis;
  let timer: NodeJS.Timeout | null = null;
  /** Of the connection: what was asked of the one before says nothing. */
  let epoch = 0;
  /** The run of Redis that was compared; null: none. */
  let run: string | null = null;

  async function look(): Promise<void> {
    const asked = epoch;
    const compared =
      connection.status === 'ready'
        ? await comparedRun(connection, prefix, source).catch((error: unknown) => {
            log.debug({ source, reason: reasonOf(error) }, 'not known whether Redis has been compared');
            return null;
          })
        : null;
    if (asked !== epoch) return;
    run = compared;
    if (run !== null) set(true);
    else timer = setTimeout(() => void look(), LOOK_EVERY_MS);
  }

  function begin(): void {
    if (timer !== null) clearTimeout(timer);
    epoch += 1;
    run = null;
    set(false);
    void look();
  }

  const forget = redis.onLost(begin);
  begin();
  return {
    run: () => run,
    close() {
      forget();
      epoch += 1;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
