import type { Redis } from 'ioredis';
import { duplicateOf } from './redis-connection.ts';
import { redisScript } from './redis-script.ts';

/** It is gone before anybody could wonder. */
const TRIAL_MS = 1_000;
const BRIEFLY_S = 0.01;

/**
 * What scripts of ours and of BullMQ do to keys under the prefix, once each; nothing of it stays.
 * KEYS: hash, list, list, sorted set, stream. ARGV: channel, life in ms. What is left in a list and the set is waited for.
 */
const trial = redisScript(`
redis.call('TIME')
redis.call('HSET', KEYS[1], 'a', '1')
redis.call('HINCRBY', KEYS[1], 'a', 1)
redis.call('LPUSH', KEYS[2], 'a')
redis.call('RPOPLPUSH', KEYS[2], KEYS[3])
redis.call('ZADD', KEYS[4], 0, 'a')
redis.call('XADD', KEYS[5], '*', 'a', '1')
redis.call('PUBLISH', ARGV[1], '')
redis.call('PEXPIRE', KEYS[3], ARGV[2])
redis.call('PEXPIRE', KEYS[4], ARGV[2])
return redis.call('DEL', KEYS[1], KEYS[2], KEYS[5])`);

/**
 * Does, under our prefix, what a run does all the time: one write, one script, one wait, one subscription.
 * @throws Redis's own error where it is a replica, takes nothing, or this user may not
 */
export async function tryRights(connection: Redis, prefix: string): Promise<void> {
  // One Cluster slot. No source can be called so: `:` is encoded there.
  const key = (part: string): string => `${prefix}:{trial:}:${part}`;
  const channel = key('changed');
  await connection.set(key('text'), '1', 'PX', TRIAL_MS);
  await connection.get(key('text'));
  await trial(connection, ['hash', 'list', 'taken', 'set', 'stream'].map(key), [channel, TRIAL_MS]);
  const waiting = duplicateOf(connection);
  waiting.on('error', () => undefined);
  try {
    await waiting.bzpopmin(key('set'), BRIEFLY_S);
    await waiting.brpop(key('taken'), BRIEFLY_S);
    await waiting.subscribe(channel);
  } finally {
    waiting.disconnect();
  }
}
