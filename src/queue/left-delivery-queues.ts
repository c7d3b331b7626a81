import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Ledger } from '../ledger/ledger-port.ts';
import { openOutbox } from '../ledger/tables/outbox-store.ts';
import { queueName } from '../redis/queue-key.ts';

/**
 * Removes the queues in which older versions kept the webhook deliveries of a source that were due: the ledger knows
 * all of them. Where none is left this is one command per endpoint. For the source's owner only.
 * @param options.ledger names every endpoint that was ever told
 */
export async function dropLeftDeliveryQueues(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly ledger: Pick<Ledger, 'table'>;
}): Promise<void> {
  const { connection, prefix, source } = options;
  for (const endpoint of openOutbox(options.ledger)?.endpoints() ?? []) {
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
