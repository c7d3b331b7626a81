import type { Redis } from 'ioredis';
import { QUEUE_KINDS, queueName } from '../redis/queue-key.ts';

/** What somebody has set on a queue itself, past Slipway: it holds for every worker, and outlives them. */
export interface QueueHold {
  readonly kind: 'paused' | 'concurrency' | 'rate';
  /** For people: what it is, and where it can come from. */
  readonly message: string;
}

/** Fields of a BullMQ queue's meta hash, by what set them. */
const FIELDS = ['paused', 'concurrency', 'max', 'duration'] as const;

/** BullMQ's names of the queues of a source. */
function queuesOf(source: string): readonly string[] {
  return QUEUE_KINDS.map((kind) => queueName(source, kind));
}

/** What holds the queues of a source back. Slipway itself sets none of it. */
export async function readQueueHolds(
  connection: Redis,
  prefix: string,
  source: string,
): Promise<QueueHold[]> {
  const metas = await Promise.all(
    queuesOf(source).map((name) => connection.hmget(`${prefix}:${name}:meta`, ...FIELDS)),
  );
  const found = metas.flatMap(([paused = null, concurrency = null, max = null, duration = null]) => [
    ...(paused === null ? [] : [hold('paused', 'is paused', 'its pause button, or queue.pause() of BullMQ')]),
    ...(concurrency === null
      ? []
      : [
          hold(
            'concurrency',
            `takes ${concurrency} at once, all processes together`,
            'setGlobalConcurrency() of BullMQ',
          ),
        ]),
    ...(max === null
      ? []
      : [
          hold(
            'rate',
            `takes ${max} in ${duration ?? '?'} ms, all processes together`,
            'setGlobalRateLimit() of BullMQ',
          ),
        ]),
  ]);
  return found.filter(({ message }, index) => found.findIndex((one) => one.message === message) === index);
}

function hold(kind: QueueHold['kind'], what: string, whence: string): QueueHold {
  return {
    kind,
    message: `the queue itself ${what}: set in Redis by a queue dashboard such as bull-board (${whence}), not by slipway pause; slipway resume lifts it`,
  };
}

/**
 * Lifts all of it.
 * @returns what there was
 */
export async function liftQueueHolds(
  connection: Redis,
  prefix: string,
  source: string,
): Promise<QueueHold[]> {
  const held = await readQueueHolds(connection, prefix, source);
  if (held.length === 0) return held;
  for (const name of queuesOf(source)) {
    const key = (part: string): string => `${prefix}:${name}:${part}`;
    await connection.hdel(key('meta'), ...FIELDS);
    // Workers that sleep look at the line again; of the rate BullMQ keeps what has been taken in a key of its own.
    await connection.del(key('limiter'));
    await connection.zadd(key('marker'), 0, '0');
  }
  return held;
}
