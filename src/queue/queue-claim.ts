import type { Redis } from 'ioredis';
import { SlipwayError } from '../domain/errors.ts';
import { sourceKey } from './queue-key.ts';

/**
 * Makes sure that a queue belongs to this data folder: two installations that share a Redis and a prefix would record
 * each other's jobs in the wrong manifest (DESIGN §4, Owner). An empty queue may change hands.
 * @param installation of the data folder; random, made once
 * @param jobs how many jobs the queue holds
 * @throws SlipwayError `queue_foreign`
 */
export async function claimQueue(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly installation: string;
  readonly jobs: number;
}): Promise<void> {
  const { connection, prefix, source, installation, jobs } = options;
  const key = sourceKey(prefix, source, 'installation');
  const holder = await connection.get(key);
  if (holder === installation) return;
  if (holder !== null && jobs > 0) throw new SlipwayError('queue_foreign', { source, jobs });
  await connection.set(key, installation);
}
