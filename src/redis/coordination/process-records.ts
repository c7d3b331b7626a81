import type { Redis } from 'ioredis';
import { redisScript } from '../redis-script.ts';

/**
 * What every live process says of itself, one text each, in two keys: nobody has to look through all keys of a Redis for
 * them, which in a Cluster lie on many nodes. Times are Redis's own.
 */

/** A process that died is gone after this long. */
const LIFE_MS = 10_000;

const NOW = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

/** KEYS: when each was last heard of, what it said. ARGV: process, text, its life in ms. */
const write = redisScript(`${NOW}
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('HDEL', KEYS[2], gone)
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])`);

/** KEYS: as above. ARGV: at most so old, in ms. → their texts */
const read = redisScript(`${NOW}
local fresh = redis.call('ZRANGEBYSCORE', KEYS[1], now - ARGV[1], '+inf')
local texts = {}
for i, member in ipairs(fresh) do texts[i] = redis.call('HGET', KEYS[2], member) end
return texts`);

/** KEYS: as above. ARGV: process. */
const forget = redisScript(`
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])`);

export async function writeProcessRecord(
  connection: Redis,
  prefix: string,
  member: string,
  text: string,
): Promise<void> {
  await write(connection, keysOf(prefix), [member, text, LIFE_MS]);
}

export async function forgetProcessRecord(connection: Redis, prefix: string, member: string): Promise<void> {
  await forget(connection, keysOf(prefix), [member]);
}

/** Of all live processes. @param freshMs leaves out those that were written longer ago */
export async function readProcessRecords(
  connection: Redis,
  prefix: string,
  freshMs: number = LIFE_MS,
): Promise<string[]> {
  const texts = (await read(connection, keysOf(prefix), [freshMs])) as (string | null)[];
  return texts.filter((text) => text !== null);
}

/** In one Cluster slot. No source can be called so: `:` is encoded there. */
function keysOf(prefix: string): readonly string[] {
  return [`${prefix}:{processes:}:seen`, `${prefix}:{processes:}:reports`];
}
