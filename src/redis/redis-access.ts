import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { systemClock } from '../platform/waiting/clock.ts';
import { within } from '../platform/waiting/within.ts';
import { acquireEmbeddedRedis, findRunningEmbeddedRedis } from './embedded/embedded-redis.ts';
import { checkRedis } from './redis-check.ts';
import { openRedis } from './redis-connection.ts';
import type { RedisTarget } from './redis-target.ts';

/** A connection; its library's home is the queue room. */
export type RedisConnection = ReturnType<typeof openRedis>;

/** This process's way to Redis: the user's, or the private one that it keeps alive. */
export interface RedisAccess {
  /** Shared for commands; comes back by itself after an outage. */
  readonly connection: RedisConnection;
  /** Called whenever the connection is there again after it was lost; returns what ends that. */
  onBack(listener: () => void): () => void;
  /** Leaves Redis; the last user of a private one stops it. Never throws. */
  close(): Promise<void>;
}

const MANY_LISTENERS = 10_000;
const READY_MS = 5_000;

interface RedisFacts {
  readonly dataDir: string;
  /** Null: the private Redis of the data folder. */
  readonly url: string | null;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
}

/**
 * Opens Redis for a daemon.
 * @throws SlipwayError `redis_binary_missing`, `redis_start_failed`, `redis_unreachable`, `redis_too_old`, `config_invalid`
 */
export async function openRedisAccess(options: RedisFacts): Promise<RedisAccess> {
  const opened =
    options.url === null ? await openPrivateRedis(options) : await openGivenRedis(options.url, options.log);
  // It was there a moment ago. What is paused, or shut, is read before anything is sent.
  await within(opened.connection.ping(), READY_MS);
  return opened;
}

/** Opens a Redis that is there already, for commands that only look; null when the private one does not run. */
export async function findRedis(facts: Omit<RedisFacts, 'env'>): Promise<RedisConnection | null> {
  if (facts.url !== null) {
    await checkRedis({ url: facts.url });
    return openRedis({ url: facts.url }, 'probe', facts.log);
  }
  const running = await findRunningEmbeddedRedis(facts.dataDir);
  return running === null ? null : openRedis(running, 'probe', facts.log);
}

async function openGivenRedis(url: string, log: Log): Promise<RedisAccess> {
  const { warnings } = await checkRedis({ url });
  for (const warning of warnings) log.warn({}, warning);
  return access({ url }, log, async () => undefined);
}

async function openPrivateRedis({ dataDir, env, log }: RedisFacts): Promise<RedisAccess> {
  const embedded = await acquireEmbeddedRedis({ dataDir, env, log, clock: systemClock });
  const opened = access({ socketPath: embedded.socketPath }, log, () => embedded.release());
  // Whoever loses the socket starts the server again; the connection then finds it by itself.
  opened.connection.on('close', () => {
    embedded
      .restart()
      .catch((error: unknown) =>
        log.error({ reason: reasonOf(error) }, 'the private Redis could not be started again'),
      );
  });
  return opened;
}

function access(target: RedisTarget, log: Log, release: () => Promise<void>): RedisAccess {
  const connection = openRedis(target, 'producer', log);
  // Every queue and worker adds listeners of its own to this one connection. Not 0 (no limit): BullMQ adds to the number.
  connection.setMaxListeners(MANY_LISTENERS);
  const listeners = new Set<() => void>();
  let lost = false;
  connection.on('close', () => {
    lost = true;
  });
  connection.on('ready', () => {
    if (!lost) return;
    lost = false;
    for (const listener of listeners) listener();
  });
  return {
    connection,
    onBack(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      connection.removeAllListeners('close');
      connection.disconnect();
      await release();
    },
  };
}
