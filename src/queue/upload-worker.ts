import { DelayedError, type Job, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { UploadJob } from '../domain/upload-job.ts';
import type { UploadHandler, UploadStep } from '../domain/upload-step.ts';
import { within } from '../platform/waiting/within.ts';
import { queueName } from '../redis/queue-key.ts';
import { KEEP_PROGRESS_LUA } from './bullmq-layout/keep-progress-script.ts';
import { gatheredBackend } from './bullmq-layout/micro-batch-backend.ts';
import { decodeJob } from './codec.ts';
import { jobsInHand } from './jobs-in-hand.ts';
import { keptResults } from './kept-results.ts';
import { LIVE_RETRY_GRACE_MS, liveRetries } from './live-retries.ts';
import { lockWatch } from './lock-watch.ts';

const SECOND = 1000;
/** A killed worker's jobs run elsewhere after at most lockDuration + stalledInterval = 13 s (target: 15 s). */
const LOCK_DURATION_MS = 8 * SECOND;
const STALLED_INTERVAL_MS = 5 * SECOND;
/** BullMQ fails a job past this count without calling us; a job that keeps killing its worker is ours to judge. */
const MAX_STALLED_COUNT = 1_000_000;

/** The worker's end of one source's queue. */
export interface UploadWorker {
  readonly source: string;
  /** Jobs in hand, those that wait for a permit included. */
  active(): number;
  /** Stops taking jobs; those in hand go on. Not the queue's own flag, which would outlive this process. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Fires every job's signal: each gives its job back. */
  abort(reason: string): void;
  /** Never later than `timeoutMs`, Redis reachable or not: BullMQ's own close waits for ever without it. */
  close(timeoutMs: number): Promise<void>;
}

// Over 80 lines: one job from its taking to its end: what it leaves by (result, later, give back) needs lock, hands and results alike.
/**
 * Opens a worker on one source's queue.
 * @param connection shared for commands; BullMQ makes its own for the blocking read
 * @param concurrency most jobs in hand at once; permits decide how many are sent
 */
export function openUploadWorker(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly concurrency: number;
  readonly handler: UploadHandler;
  readonly onFinished: () => void;
  readonly log: Log;
  readonly now: () => number;
}): UploadWorker {
  const { connection, prefix, source, handler, log, now } = options;
  const locks = lockWatch(LOCK_DURATION_MS, now);
  const hands = jobsInHand<UploadStep>();
  const results = keptResults(connection, prefix, source);
  let paused = false;

  /**
   * Redis refused (its disk is full, it has lost the job), or the lock is another's by now. The job is left as it lies:
   * its lock runs out and it is run again. Any other error would make BullMQ fail it, and be recorded so.
   */
  async function orLeaveIt<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      log.debug({ source, reason: reasonOf(error) }, 'a job is left as it lies, it runs again later');
      throw new DelayedError();
    }
  }

  async function keepProgress(job: Job, data: UploadJob, token: string | undefined): Promise<void> {
    const key = worker.toKey(String(job.id));
    const kept = await connection.eval(
      KEEP_PROGRESS_LUA,
      2,
      key,
      `${key}:lock`,
      token ?? '',
      JSON.stringify(data),
    );
    if (kept !== 1) throw new SlipwayError('internal', { reason: 'the lock of the job was lost' });
  }

  async function follow(step: UploadStep, job: Job, token: string | undefined): Promise<string> {
    switch (step.kind) {
      case 'settle': {
        const text = JSON.stringify(step.outcome);
        results.keep(String(job.id), text);
        // Before it is published, which may fail for want of the lock.
        if (locks.doubtful(String(job.id))) await orLeaveIt(results.share(String(job.id), text));
        return text;
      }
      case 'retry':
        await orLeaveIt(keepProgress(job, step.job, token));
        return await comeBackLater(job, step.job.live === true, step.delayMs, token);
      case 'give-back':
        // Without a delay a job that nobody can take comes straight back and spins at thousands per second.
        if (step.delayMs > 0)
          return await comeBackLater(job, (job.data as UploadJob).live === true, step.delayMs, token);
        await orLeaveIt(job.moveToWait(token));
        throw new WaitingError();
    }
  }

  async function comeBackLater(
    job: Job,
    isLive: boolean,
    delayMs: number,
    token: string | undefined,
  ): Promise<never> {
    const untilMs = now() + delayMs + (isLive ? LIVE_RETRY_GRACE_MS : 0);
    await orLeaveIt(job.moveToDelayed(untilMs, token));
    if (isLive) retries.add(String(job.id), delayMs, untilMs);
    throw new DelayedError();
  }

  async function handle(job: Job, signal: AbortSignal): Promise<UploadStep> {
    const upload = {
      jobId: String(job.id),
      job: decodeJob(job.data),
      queuedAtMs: job.timestamp,
      stalledCount: job.stalledCounter,
    };
    return await handler(upload, signal);
  }

  /** Returns the outcome as JSON, as it goes to Redis. */
  const processor = async (job: Job, token: string | undefined): Promise<string> => {
    const jobId = String(job.id);
    // A blocked fetch is not cut short by pausing and may still bring one job.
    if (paused) return follow({ kind: 'give-back', delayMs: 0 }, job, token);
    const leave = hands.enter(jobId);
    locks.started(jobId);
    try {
      const before = await orLeaveIt(results.find(jobId, job.attemptsStarted));
      if (before !== null) return before;
      const step = await hands.share(jobId, (signal) => handle(job, signal));
      return await follow(step, job, token);
    } finally {
      locks.ended(jobId);
      leave();
    }
  };

  const workerOptions = {
    connection,
    prefix,
    concurrency: options.concurrency,
    lockDuration: LOCK_DURATION_MS,
    stalledInterval: STALLED_INTERVAL_MS,
    maxStalledCount: MAX_STALLED_COUNT,
    drainDelay: 5,
  };
  const worker = new Worker(
    queueName(source),
    processor,
    workerOptions,
    gatheredBackend({
      ...{ connection, results, lockDurationMs: LOCK_DURATION_MS, running: hands.size },
      onTrouble: (error) => log.debug({ source, reason: reasonOf(error) }, 'Redis does not take results yet'),
    }),
  );
  const retries = liveRetries(
    connection,
    (part) => worker.toKey(part),
    (error) => log.debug({ source, reason: reasonOf(error) }, 'a job comes back behind the others'),
  );
  worker.on('error', (error) => log.debug({ source, reason: reasonOf(error) }, 'worker connection trouble'));
  worker.on('locksRenewed', ({ jobIds }) => locks.renewed(jobIds));
  worker.on('lockRenewalFailed', (jobIds) => locks.lost(jobIds));
  worker.on('completed', options.onFinished);
  worker.on('failed', options.onFinished);

  return {
    source,
    active: hands.size,
    async pause() {
      paused = true;
      await worker.pause(true);
    },
    async resume() {
      paused = false;
      await worker.resume();
    },
    abort: hands.abort,
    async close(timeoutMs) {
      retries.close();
      await within(worker.close(), timeoutMs);
    },
  };
}
