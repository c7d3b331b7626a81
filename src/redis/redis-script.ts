import { hash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script in Redis. Rejects with Redis's error. */
export type RedisScript = (
  connection: Redis,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<unknown>;

/** Sent by its hash; whole only to a Redis that does not know it (a new one, or one that was restarted). */
export function redisScript(lua: string): RedisScript {
  const sha1 = hash('sha1', lua, 'hex');
  return async (connection, keys, args) => {
    try {
      return await connection.evalsha(sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return await connection.eval(lua, keys.length, ...keys, ...args);
    }
  };
}
