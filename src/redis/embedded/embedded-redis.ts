import { existsSync } from 'node:fs';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { takeProcessLock } from '../../platform/process/process-lock.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import {
  findRedisPlace,
  knownSocketPath,
  prepareRedisPlace,
  type RedisPlace,
} from './embedded-redis-place.ts';
import { probeRedisSocket } from './embedded-redis-probe.ts';
import { endServer } from './embedded-redis-record.ts';
import {
  type EmbeddedRedisDeadlines,
  ensureServer,
  type RunningServer,
  type ServerContext,
  stopServer,
} from './embedded-redis-server.ts';
import { addUser, countLiveUsers, newUserName, removeUser } from './embedded-redis-users.ts';

/** This process's use of the private Redis of a data folder (contract §5). */
export interface EmbeddedRedis {
  /** Stays the same over restarts. */
  readonly socketPath: string;
  /**
   * For whoever loses the socket: leaves a server that answers, whichever process starts it. Concurrent callers share
   * one restart; after `release` it does nothing. Throws what `acquireEmbeddedRedis` throws.
   */
  restart(): Promise<void>;
  /** Leaves; the last live user stops the server and waits for it. Never throws; a second call shares the first. */
  release(): Promise<void>;
}

export interface EmbeddedRedisOptions {
  /** Absolute; made if missing. */
  readonly dataDir: string;
  readonly log: Log;
  /** `PATH` finds the server, `TMPDIR` takes the socket when its path would be too long. */
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

/** Starting reads the data back from a disk that may be busy; stopping writes it there. */
export const EMBEDDED_REDIS_DEADLINES: EmbeddedRedisDeadlines = {
  startMs: 30_000,
  stopMs: 10_000,
  // Another process may be using up its whole start, and a little more.
  lockMs: 45_000,
};

const PROBE_TIMEOUT_MS = 1_000;

/**
 * Joins the private Redis of a data folder: attaches to the running one, adopts one left behind, else starts it.
 * It listens on a unix socket only and outlives this process until the last user has left.
 * Throws SlipwayError `redis_binary_missing`, `redis_too_old`, `redis_start_failed`, `data_dir`.
 */
export async function acquireEmbeddedRedis(
  options: EmbeddedRedisOptions,
  deadlines: EmbeddedRedisDeadlines = EMBEDDED_REDIS_DEADLINES,
): Promise<EmbeddedRedis> {
  const context: ServerContext = { ...options, deadlines };
  const user = newUserName();
  const join = (): Promise<RunningServer> => joinServer(options.dataDir, user, context);
  let running = await join();
  let restarting: Promise<void> | null = null;
  let released: Promise<void> | null = null;

  return {
    get socketPath() {
      return running.socketPath;
    },
    restart() {
      if (released !== null) return Promise.resolve();
      restarting ??= join()
        .then((server) => {
          running = server;
        })
        .finally(() => {
          restarting = null;
        });
      return restarting;
    },
    release() {
      // A restart still under way would leave a server that nobody stops.
      released ??= (restarting ?? Promise.resolve())
        .catch(() => {})
        .then(() => leaveServer(options.dataDir, user, running, context));
      return released;
    },
  };
}

/** The running private Redis of a data folder, for those that only look. Starts, makes and removes nothing. */
export async function findRunningEmbeddedRedis(
  dataDir: string,
): Promise<{ readonly socketPath: string } | null> {
  const place = findRedisPlace(dataDir);
  const socketPath = place === null ? null : knownSocketPath(place);
  if (socketPath === null) return null;
  const state = await probeRedisSocket(socketPath, PROBE_TIMEOUT_MS);
  return state === 'ready' || state === 'loading' ? { socketPath } : null;
}

/** Registered before the server is looked at, under the lock: whoever stops it must see every user. */
async function joinServer(dataDir: string, user: string, context: ServerContext): Promise<RunningServer> {
  const place = prepareRedisPlace(dataDir);
  return await underLock(place, context, async () => {
    addUser(place.usersFolder, user);
    try {
      return await ensureServer(place, context);
    } catch (error) {
      removeUser(place.usersFolder, user);
      throw error;
    }
  });
}

async function leaveServer(
  dataDir: string,
  user: string,
  running: RunningServer,
  context: ServerContext,
): Promise<void> {
  const place = findRedisPlace(dataDir);
  try {
    if (place === null || !existsSync(place.usersFolder)) {
      // The data folder was removed under us, and with it every way to find the server again.
      if (running.process !== null) await endServer(running.process, context.clock, context.deadlines.stopMs);
      return;
    }
    await underLock(place, context, async () => {
      removeUser(place.usersFolder, user);
      if (countLiveUsers(place.usersFolder) === 0) await stopServer(place, context);
    });
  } catch (error) {
    // Not under the lock, but a user who stays on record would keep the server for ever.
    if (place !== null) removeUser(place.usersFolder, user);
    context.log.warn({ reason: reasonOf(error) }, 'private redis could not be left in order');
  }
}

async function underLock<T>(place: RedisPlace, context: ServerContext, work: () => Promise<T>): Promise<T> {
  const lock = await takeProcessLock(place.folder, context.clock, context.deadlines.lockMs);
  if (lock.kind === 'held') {
    const reason = `process ${lock.pid} has been starting or stopping it for too long`;
    throw new SlipwayError('redis_start_failed', { reason, log: place.logFile });
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}
