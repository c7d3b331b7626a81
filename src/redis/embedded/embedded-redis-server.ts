import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { isProcessAlive, type ProcessIdentity } from '../../platform/process/process-identity.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import { findRedisBinary } from './embedded-redis-binary.ts';
import { setAsideBrokenFile } from './embedded-redis-damage.ts';
import { launchServer } from './embedded-redis-launch.ts';
import {
  forgetSocketPath,
  knownSocketPath,
  type RedisPlace,
  removeStaleSocket,
  settleSocketPath,
} from './embedded-redis-place.ts';
import { probeRedisSocket, requestRedisShutdown } from './embedded-redis-probe.ts';
import {
  clearRecord,
  endServer,
  identifyServer,
  identityOf,
  recordedServer,
  signalServer,
} from './embedded-redis-record.ts';

export interface EmbeddedRedisDeadlines {
  /** Without a sign of life for this long, a start has failed. A server that reads its data back gives such signs. */
  readonly startMs: number;
  /** For the server to save and leave. */
  readonly stopMs: number;
  /** For another process to finish starting or stopping the same server. */
  readonly lockMs: number;
}

/** What the server's life needs of the world. */
export interface ServerContext {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Log;
  readonly deadlines: EmbeddedRedisDeadlines;
}

export interface RunningServer {
  readonly socketPath: string;
  /** null: it runs where its pid means nothing to us (another container). */
  readonly process: ProcessIdentity | null;
}

const POLL_MS = 20;
const ANSWER_TIMEOUT_MS = 2_000;
/** A process that is there but has no socket is starting up, or has lost its socket file for good. */
const SOCKETLESS_GRACE_MS = 5_000;
/** How long SHUTDOWN is given before it is asked again: a rewrite of the append-only file may refuse it. */
const SHUTDOWN_ROUND_MS = 500;

/**
 * Leaves a server that answers: the one that is there (after a while, if it is still loading), else a new one.
 * Call it under the lock.
 * Throws SlipwayError `redis_binary_missing`, `redis_too_old`, `redis_start_failed`.
 */
export async function ensureServer(place: RedisPlace, context: ServerContext): Promise<RunningServer> {
  const { clock, deadlines, env } = context;
  const deadline = clock.monotonicMs() + deadlines.startMs;
  for (;;) {
    const socketPath = settleSocketPath(place, env);
    const present = await awaitPresentServer(place, socketPath, context);
    if (present === 'ready' || (await startWhole(place, socketPath, context)) === 'ready') {
      return { socketPath, process: await identifyServer(place, socketPath, ANSWER_TIMEOUT_MS) };
    }
    if (clock.monotonicMs() >= deadline) throw startFailed(place, `${place.pidFile} cannot be written`);
    await sleep(POLL_MS);
  }
}

/**
 * SHUTDOWN (the append-only file is kept), then waits until the process has gone. When it does not go within `stopMs`
 * the log says so; it is never killed, since the disk may be what holds it. Call it under the lock.
 */
export async function stopServer(place: RedisPlace, { clock, log, deadlines }: ServerContext): Promise<void> {
  const socketPath = knownSocketPath(place);
  if (socketPath === null) return;
  const server = await identifyServer(place, socketPath, ANSWER_TIMEOUT_MS);
  const hasGone = async (): Promise<boolean> =>
    (server === null || !isProcessAlive(server)) &&
    (await probeRedisSocket(socketPath, ANSWER_TIMEOUT_MS)) === 'absent';

  const deadline = clock.monotonicMs() + deadlines.stopMs;
  while (!(await hasGone())) {
    if (clock.monotonicMs() >= deadline) {
      log.warn(
        { pid: server?.pid ?? null, waitedMs: deadlines.stopMs },
        'private redis did not stop in time',
      );
      return;
    }
    await requestRedisShutdown(socketPath, SHUTDOWN_ROUND_MS);
    const roundEnd = clock.monotonicMs() + SHUTDOWN_ROUND_MS;
    while (clock.monotonicMs() < roundEnd && !(await hasGone())) await sleep(POLL_MS);
    // Its socket file may be gone while it runs; it takes the signal as it takes SHUTDOWN.
    if (server !== null) signalServer(server, 'SIGTERM');
  }
  rmSync(place.pidFile, { force: true });
  forgetSocketPath(place);
  log.debug({ pid: server?.pid ?? null }, 'private redis stopped');
}

/** Waits for a server that is there to answer; ends one that has lost its socket file. */
async function awaitPresentServer(
  place: RedisPlace,
  socketPath: string,
  { clock, log, deadlines }: ServerContext,
): Promise<'ready' | 'absent'> {
  const socketlessEnd = clock.monotonicMs() + Math.min(SOCKETLESS_GRACE_MS, deadlines.startMs);
  let deadline = clock.monotonicMs() + deadlines.startMs;
  for (;;) {
    const state = await probeRedisSocket(socketPath, ANSWER_TIMEOUT_MS);
    if (state === 'ready') return 'ready';
    if (state === 'loading') deadline = clock.monotonicMs() + deadlines.startMs;
    const server = recordedServer(place);
    if (state === 'silent' && clock.monotonicMs() >= deadline) {
      const who = server === null ? 'a process' : `process ${server.pid}`;
      throw startFailed(place, `${who} has its socket and does not answer`);
    }
    if (state === 'absent' && server === null) return 'absent';
    if (state === 'absent' && server !== null && clock.monotonicMs() >= socketlessEnd) {
      log.warn({ pid: server.pid }, 'private redis has lost its socket, replacing it');
      await endServer(server, clock, deadlines.stopMs);
    }
    await sleep(POLL_MS);
  }
}

/** Starts a server; one that cannot read its append-only file begins with an empty one. */
async function startWhole(
  place: RedisPlace,
  socketPath: string,
  context: ServerContext,
): Promise<'ready' | 'taken'> {
  const { clock, log } = context;
  try {
    return await startServer(place, socketPath, context);
  } catch (error) {
    const aside = setAsideBrokenFile(place, reasonOf(error), clock.nowMs());
    if (aside === null) throw error;
    log.warn(
      { aside, reason: reasonOf(error) },
      'the append-only file of the private redis is damaged: it was set aside, and what it held is queued again',
    );
    return await startServer(place, socketPath, context);
  }
}

/** `taken`: a server of another starter came first. */
async function startServer(
  place: RedisPlace,
  socketPath: string,
  { env, clock, log, deadlines }: ServerContext,
): Promise<'ready' | 'taken'> {
  const binary = await findRedisBinary(env);
  if (!clearRecord(place, clock.nowMs())) return 'taken';
  removeStaleSocket(socketPath);
  const launched = launchServer(place, socketPath, binary, env);
  let deadline = clock.monotonicMs() + deadlines.startMs;
  for (;;) {
    const state = await probeRedisSocket(socketPath, ANSWER_TIMEOUT_MS);
    if (state === 'ready') {
      log.debug({ pid: launched.pid ?? null, binary }, 'private redis started');
      return 'ready';
    }
    if (state === 'loading') deadline = clock.monotonicMs() + deadlines.startMs;
    const ended = launched.ended();
    if (ended?.taken === true) return 'taken';
    if (ended !== null) throw startFailed(place, ended.reason);
    if (clock.monotonicMs() >= deadline) {
      if (launched.pid !== undefined) await endServer(identityOf(launched.pid), clock, deadlines.stopMs);
      throw startFailed(place, `it did not answer within ${deadlines.startMs} ms`);
    }
    await sleep(POLL_MS);
  }
}

function startFailed(place: RedisPlace, reason: string): SlipwayError {
  return new SlipwayError('redis_start_failed', { reason, log: place.logFile });
}
