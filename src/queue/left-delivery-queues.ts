import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { queueName } from '../redis/queue-key.ts';

/**
 * Removes the queues in which older versions kept the webhook deliveries of a source that were due: the ledger knows
 * all of them. Where none is left this is one command per endpoint. For the source's owner only.
 * @param options.endpoints every one that was ever told
 */
export async function dropLeftDeliveryQueues(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly endpoints: readonly string[];
}): Promise<void> {
  const { connection, prefix, source } = options;
  for (const endpoint of options.endpoints) {
    const name = `${queueName(source)}.webhook.${encodeURIComponent(endpoint)}`;
    if ((await connection.exists(`${prefix}:${name}:meta`)) === 0) continue;
    const queue = new Queue(name, { connection, prefix, skipMetasUpdate: true });
    try {
      await queue.obliterate({ force: true });
    } finally {
      await queue.close();
    }
  }
}
