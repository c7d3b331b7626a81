/** A data folder for private Redis servers, and whatever server is left in it ended with the test. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { silentLog } from '../../src/domain/log.ts';
import { processArguments } from '../../src/platform/process/process-identity.ts';
import { systemClock } from '../../src/platform/waiting/clock.ts';
import type { EmbeddedRedisOptions } from '../../src/redis/embedded/embedded-redis.ts';

/** A new data folder of this test. */
export async function newDataDir(): Promise<string> {
  // Short on purpose: the socket's path must fit where the test does not say otherwise.
  const folder = await mkdtemp('/tmp/sw-er-');
  const dataDir = join(folder, 'data');
  onTestFinished(async () => {
    const pid = await serverPid(dataDir);
    // Its configuration file names this folder: no other process can be meant.
    if (pid !== null && processArguments(pid)?.some((argument) => argument.includes(folder)) === true) {
      process.kill(pid, 'SIGKILL');
    }
    await rm(folder, { recursive: true, force: true });
  });
  return dataDir;
}

export function redisOptionsFor(dataDir: string, env: NodeJS.ProcessEnv = process.env): EmbeddedRedisOptions {
  return { dataDir, log: silentLog, env, clock: systemClock };
}

/** Pid on record, null when there is none. */
export async function serverPid(dataDir: string): Promise<number | null> {
  try {
    return Number((await readFile(join(dataDir, 'redis', 'server.pid'), 'utf8')).trim());
  } catch {
    return null;
  }
}

/** One command over a connection of its own; throws when nobody answers. */
export async function withRedis<T>(socketPath: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ path: socketPath, lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}
