import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { queueName } from '../redis/queue-key.ts';

/** Jobs of a source that wait for their next try are tried at once. The connection stays open. */
export async function promoteDelayed(connection: Redis, prefix: string, source: string): Promise<void> {
  const queue = new Queue(queueName(source), { connection, prefix, skipMetasUpdate: true });
  // Whatever is wrong with the connection, the call itself fails of it.
  queue.on('error', () => undefined);
  try {
    await queue.promoteJobs();
  } finally {
    await queue.close();
  }
}
