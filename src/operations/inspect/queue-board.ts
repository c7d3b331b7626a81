import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { receivedQueue } from '../../domain/received-source.ts';
import { type BoardServer, createQueueBoard } from '../../queue/queue-views.ts';
import { findRedis, type RedisConnection } from '../../redis/redis-access.ts';

export type { BoardServer } from '../../queue/queue-views.ts';

export interface ShownQueues {
  readonly dataDir: string;
  readonly redis: Parameters<typeof findRedis>[0]['redis'] & { readonly prefix: string };
  /** Configured ones. */
  readonly sources: readonly string[];
  /** Those that files which came in by HTTP go to. */
  readonly destinations: readonly string[];
  readonly log: Log;
}

/** The queues on a page, opened when somebody looks. Redis is never started for it. */
export interface OpenableBoard {
  /** @throws SlipwayError `redis_unreachable` while there is no Redis to look into */
  open(): Promise<void>;
  close(): Promise<void>;
}

/** Nothing looked at yet. */
export function queueBoard(server: BoardServer, shown: ShownQueues): OpenableBoard {
  const board = createQueueBoard(server, 'Slipway');
  let connection: RedisConnection | null = null;
  let opening: Promise<void> | null = null;

  async function look(): Promise<void> {
    const { dataDir, redis, sources, destinations, log } = shown;
    const found = await findRedis({ dataDir, redis, log });
    if (found === null)
      throw new SlipwayError('redis_unreachable', { where: dataDir, reason: 'not started yet' });
    connection = found;
    await board.show([...sources, ...destinations.map(receivedQueue)], found, redis.prefix);
  }

  return {
    async open() {
      if (connection !== null && connection.status !== 'end') return;
      opening ??= look().finally(() => {
        opening = null;
      });
      await opening;
    },
    async close() {
      await board
        .hide()
        .catch((error: unknown) => shown.log.debug({ reason: reasonOf(error) }, 'board not closed'));
      connection?.disconnect();
    },
  };
}
