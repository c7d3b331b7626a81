import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { systemClock } from '../platform/waiting/clock.ts';
import { within } from '../platform/waiting/within.ts';
import { type ConnectionLoss, watchForLoss } from './connection-loss.ts';
import { acquireEmbeddedRedis, findRunningEmbeddedRedis } from './embedded/embedded-redis.ts';
import { hearTrouble, lastingTrouble } from './lasting-trouble.ts';
import { checkRedis } from './redis-check.ts';
import { openRedis } from './redis-connection.ts';
import { isPrivate, type RedisPlace } from './redis-place.ts';
import type { RedisTarget } from './redis-target.ts';

/** A connection; its library's home is the queue room. */
export type RedisConnection = ReturnType<typeof openRedis>;

/** This process's way to Redis: the user's, or the private one that it keeps alive. */
export interface RedisAccess extends ConnectionLoss {
  /** Shared for commands; comes back by itself after an outage. */
  readonly connection: RedisConnection;
  /** Leaves Redis; the last user of a private one stops it. Never throws. */
  close(): Promise<void>;
}

const MANY_LISTENERS = 10_000;
const READY_MS = 5_000;

interface RedisFacts {
  readonly dataDir: string;
  readonly redis: RedisPlace;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
}

/**
 * Opens Redis for a daemon.
 * @throws SlipwayError `redis_…`, `config_invalid`, `config_unreadable`
 */
export async function openRedisAccess(options: RedisFacts): Promise<RedisAccess> {
  const { redis, log } = options;
  const opened = isPrivate(redis) ? await openPrivateRedis(options) : await openGivenRedis(redis, log);
  // It was there a moment ago. What is paused, or shut, is read before anything is sent.
  await within(opened.connection.ping(), READY_MS);
  return opened;
}

/**
 * Opens a Redis that is there already, for commands that only look; null when the private one does not run.
 * @throws as above
 */
export async function findRedis(facts: Omit<RedisFacts, 'env'>): Promise<RedisConnection | null> {
  const { redis, dataDir, log } = facts;
  if (!isPrivate(redis)) {
    await checkRedis(redis);
    return openRedis(redis, 'probe', log);
  }
  const running = await findRunningEmbeddedRedis(dataDir);
  return running === null ? null : openRedis(running, 'probe', log);
}

async function openGivenRedis(redis: RedisPlace, log: Log): Promise<RedisAccess> {
  const { prefix } = redis;
  const { warnings } = await checkRedis(redis, { tryPrefix: prefix });
  for (const warning of warnings) log.warn({}, warning);
  return access(redis, { prefix, log, release: async () => undefined });
}

async function openPrivateRedis({ dataDir, redis, env, log }: RedisFacts): Promise<RedisAccess> {
  const embedded = await acquireEmbeddedRedis({ dataDir, env, log, clock: systemClock });
  const opened = access(
    { socketPath: embedded.socketPath },
    { prefix: redis.prefix, log, release: () => embedded.release() },
  );
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

function access(
  target: RedisTarget,
  how: { readonly prefix: string; readonly log: Log; readonly release: () => Promise<void> },
): RedisAccess {
  const { prefix, log, release } = how;
  const connection = openRedis(target, 'producer', log);
  // Every queue and worker adds listeners of its own to this one connection. Not 0 (no limit): BullMQ adds to the number.
  connection.setMaxListeners(MANY_LISTENERS);
  const { monotonicMs } = systemClock;
  const trouble = lastingTrouble({ target, prefix, log, monotonicMs });
  hearTrouble(connection, trouble);
  const copies = copiesOf(connection, (copy) => hearTrouble(copy, trouble));
  return {
    connection,
    ...watchForLoss(connection),
    async close() {
      connection.removeAllListeners('close');
      connection.disconnect();
      for (const copy of copies) copy.disconnect();
      await release();
    },
  };
}

/**
 * What is made of a connection, by us or by BullMQ, ends with it: one that is forgotten, or still tries to connect,
 * would keep a process alive that has nothing left to do.
 */
function copiesOf(
  connection: RedisConnection,
  onCopy: (copy: RedisConnection) => void,
): ReadonlySet<RedisConnection> {
  const copies = new Set<RedisConnection>();
  const duplicate = connection.duplicate.bind(connection);
  connection.duplicate = (...change) => {
    const copy = duplicate(...change);
    copies.add(copy);
    onCopy(copy);
    copy.once('end', () => copies.delete(copy));
    return copy;
  };
  return copies;
}
