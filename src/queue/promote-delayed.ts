import type { Redis } from 'ioredis';
import { openSourceQueues } from './source-queues.ts';

/** Jobs of a source that wait for their next try are tried at once. The connection stays open. */
export async function promoteDelayed(connection: Redis, prefix: string, source: string): Promise<void> {
  const queues = openSourceQueues({ connection, prefix, source, looks: true });
  try {
    for (const queue of [queues.live, queues.backlog, queues.carriers]) await queue.promoteJobs();
  } finally {
    await queues.close();
  }
}
