import type { SlipwayError } from '../../domain/errors.ts';
import { findRunningEmbeddedRedis } from '../../redis/embedded/embedded-redis.ts';
import { findRedisBinary } from '../../redis/embedded/embedded-redis-binary.ts';
import { checkRedis } from '../../redis/redis-check.ts';
import { isPrivate, type RedisPlace } from '../../redis/redis-place.ts';
import { redisOrigin } from '../../redis/redis-target.ts';
import { type Finding, ok, problem, warning } from './doctor-finding.ts';

/** The given Redis: reachable, new enough, keeping what it is given. The private one: a binary to run. Starts none. */
export async function examineRedis(options: {
  readonly dataDir: string;
  readonly redis: RedisPlace;
  readonly env: NodeJS.ProcessEnv;
}): Promise<Finding[]> {
  const { dataDir, redis, env } = options;
  const about = { check: 'redis', subject: null } as const;
  try {
    if (!isPrivate(redis)) {
      const { version, warnings } = await checkRedis(redis, { tryPrefix: redis.prefix });
      const where = redisOrigin(redis);
      return [
        ok(about, `Redis ${version} answers at ${where}`),
        ...warnings.map((text) => warning(about, text)),
      ];
    }
    const binary = await findRedisBinary(env);
    const running = await findRunningEmbeddedRedis(dataDir);
    const state = running === null ? 'is started when needed' : 'is running';
    return [ok(about, `the private Redis (${binary}) ${state}`)];
  } catch (error) {
    return [problem(about, error as SlipwayError)];
  }
}
