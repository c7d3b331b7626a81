import { DelayedError, type Job, WaitingError, type Worker } from 'bullmq';
import { reasonOf } from '../domain/errors.ts';
import type { Outcome } from '../domain/receipt.ts';
import { type UploadJob, versionIdOf } from '../domain/upload-job.ts';
import type { UploadHandler, UploadStep } from '../domain/upload-step.ts';
import { decodeJob, decodeOutcome, outcomeOfFailedJob } from './codec.ts';
import { jobsInHand } from './jobs-in-hand.ts';
import { doneKey, type KeptResults } from './kept-results.ts';
import { lockWatch } from './lock-watch.ts';
import { type FileEnd, handOverOrShare, type OwnBooks } from './own-books.ts';
import { LOCK_DURATION_MS, openStockWorker, type WorkerPlace } from './stock-worker.ts';

/** A job that must not be run now is looked at again this soon. */
const PUT_OFF_MS = 1_000;

export interface SingleRunsOptions extends WorkerPlace {
  readonly concurrency: number;
  readonly handler: UploadHandler;
  readonly results: KeptResults;
  /** null: the owner is another process, and reads the finished jobs. */
  readonly own: OwnBooks | null;
  /**
   * Where the mark of the run of Redis stands that was compared, and the run behind the connection where it is that one;
   * null: it is not, and no job may be taken. Left out: any may.
   */
  readonly compared?: { readonly key: string; readonly run: () => string | null } | undefined;
  /** Of the destination, for what no handler could say. */
  readonly destination: string;
  readonly onFinished: () => void;
  readonly now: () => number;
}

/** Runs the files that are jobs of their own, of one queue. */
export interface Runs {
  readonly worker: Worker;
  /** Files in hand, those that wait for a permit included. */
  active(): number;
  /** From now on what is taken goes back at once. */
  halt(halted: boolean): void;
  /** Fires every file's signal: each goes back. */
  abort(reason: string): void;
}

type Step = FileEnd | UploadStep;

// Over 80 lines: one job from its taking to its end: what it leaves by (result, later, give back) needs lock, hands and results alike.
/** @param kind `live` goes first for permits */
export function openSingleRuns(kind: 'live' | 'backlog', options: SingleRunsOptions): Runs {
  const { connection, prefix, source, handler, own, results, log, now } = options;
  const locks = lockWatch(LOCK_DURATION_MS, now);
  const hands = jobsInHand<Step>();
  let halted = false;

  const processor = async (job: Job, token: string | undefined): Promise<unknown> => {
    const jobId = String(job.id);
    // A blocked fetch is not cut short by pausing and may still bring one job.
    if (halted) return await follow({ kind: 'give-back', delayMs: 0 }, job, token);
    const leave = hands.enter(jobId);
    locks.started(jobId);
    try {
      // Evicted: it says nothing, and disk and ledger decide (rule emptyJob).
      if (Object.keys((job.data ?? {}) as object).length === 0) return null;
      const kept = await orLeaveIt(lookBeside(jobId));
      if (kept === 'closed') return await comeBackLater(job, PUT_OFF_MS, token);
      // Asked again: whoever halts fires the signals of those that have begun.
      if (halted) return await follow({ kind: 'give-back', delayMs: 0 }, job, token);
      const go = (signal: AbortSignal): Promise<Step> =>
        own === null ? send(job, token, kept, signal) : sendOwn(own, job, token, kept, signal);
      return await follow(await hands.share(jobId, go), job, token);
    } finally {
      locks.ended(jobId);
      leave();
    }
  };

  /** What an earlier run has got for this job (rule doneAlways); `closed`: jobs may not be taken yet (rule gateAfter). */
  async function lookBeside(jobId: string): Promise<Outcome | 'closed' | null> {
    const { compared } = options;
    const [mark, text] = await Promise.all([
      compared === undefined ? null : connection.get(compared.key),
      connection.get(doneKey(prefix, source, jobId)),
    ]);
    if (compared !== undefined && (mark === null || mark !== compared.run())) return 'closed';
    return results.find(jobId) ?? (text == null ? null : decodeOutcome(text));
  }

  /** In the owner's process: what it knows is not sent, and what comes is handed over in memory. */
  async function sendOwn(
    books: OwnBooks,
    job: Job,
    token: string | undefined,
    kept: Outcome | null,
    signal: AbortSignal,
  ): Promise<Step> {
    const jobId = String(job.id);
    if (books.isRecorded(jobId)) return { kind: 'recorded' };
    return await books.share(jobId, 'single', async () => {
      if (books.isRecorded(jobId)) return { kind: 'recorded' };
      const step = await send(job, token, kept, signal);
      if (step.kind !== 'settle') return { kind: 'step', step };
      results.keep(jobId, step.outcome);
      await orLeaveIt(handOverOrShare(books, results, jobId, step.outcome));
      return { kind: 'recorded' };
    });
  }

  async function send(
    job: Job,
    token: string | undefined,
    kept: Outcome | null,
    signal: AbortSignal,
  ): Promise<UploadStep> {
    if (kept !== null) return { kind: 'settle', outcome: kept };
    const jobId = String(job.id);
    const data = decodeJob(job.data);
    const upload = {
      ...{ jobId, job: data, queuedAtMs: job.timestamp, stalledCount: job.stalledCounter },
      first: kind === 'live',
      isOurs: async () => locks.recent(jobId) || (await renewed(job, token)),
    };
    try {
      return await handler(upload, signal);
    } catch (error) {
      // A defect is never silent, and never BullMQ's to judge.
      const reason = reasonOf(error);
      log.error({ source, path: data.path, reason }, 'a job failed unexpectedly');
      const { destination } = options;
      const facts = { id: versionIdOf(jobId, data.gen), destination, reason, nowMs: now() };
      return {
        kind: 'settle',
        outcome: outcomeOfFailedJob(data, { ...facts, queuedAtMs: job.timestamp }),
      };
    }
  }

  async function renewed(job: Job, token: string | undefined): Promise<boolean> {
    const answer = await job.extendLock(token ?? '', LOCK_DURATION_MS).catch(() => 0);
    if (answer !== 1) return false;
    locks.renewed([String(job.id)]);
    return true;
  }

  /** @returns the result of the job */
  async function follow(step: Step, job: Job, token: string | undefined): Promise<unknown> {
    const jobId = String(job.id);
    switch (step.kind) {
      case 'recorded':
        return null;
      case 'single':
        return await comeBackLater(job, PUT_OFF_MS, token);
      case 'step':
        return await follow(step.step, job, token);
      case 'settle':
        results.keep(jobId, step.outcome);
        // Before it is published, which may fail for want of the lock.
        if (locks.doubtful(jobId)) await orLeaveIt(results.share(jobId, step.outcome));
        return step.outcome;
      case 'retry':
        return await comeBackLater(job, step.delayMs, token, step.job);
      case 'give-back':
        // Without a delay a job that nobody can take comes straight back and spins at thousands per second.
        if (step.delayMs > 0) return await comeBackLater(job, step.delayMs, token);
        await orLeaveIt(job.moveToWait(token));
        throw new WaitingError();
    }
  }

  /** @param data what it carries from now on, written only for whoever holds its lock */
  async function comeBackLater(
    job: Job,
    delayMs: number,
    token: string | undefined,
    data?: UploadJob,
  ): Promise<never> {
    const fields = data === undefined ? {} : { fieldsToUpdate: { data: JSON.stringify(data) } };
    const backend = worker.getBackend();
    await orLeaveIt(
      backend.moveToDelayed(String(job.id), Date.now(), Math.ceil(delayMs), token, {
        skipAttempt: true,
        ...fields,
      }),
    );
    throw new DelayedError();
  }

  /**
   * Redis refused (its disk is full, it has lost the job), the lock is another's by now, or nothing can be recorded here
   * any more. The job is left as it lies: its lock runs out and it is run again. Any other error would make BullMQ fail it.
   */
  async function orLeaveIt<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      log.debug({ source, reason: reasonOf(error) }, 'a job is left as it lies, it runs again later');
      throw new DelayedError();
    }
  }

  const { concurrency } = options;
  const worker = openStockWorker(kind, options, { concurrency, keepsResults: own === null }, processor);
  worker.on('locksRenewed', ({ jobIds }) => locks.renewed(jobIds));
  worker.on('lockRenewalFailed', (jobIds) => locks.lost(jobIds));
  worker.on('completed', (job) => {
    const jobId = String(job.id);
    results.published(jobId);
    // One that was evicted has said nothing: the next comparison misses it.
    if (own?.isRecorded(jobId) === true) own.freed(jobId);
    options.onFinished();
  });
  // A result was refused: what is here goes beside the jobs.
  worker.on('error', results.shareAll);
  worker.on('failed', (job) => {
    if (own === null) results.shareAll();
    else if (job !== undefined && own.isRecorded(String(job.id))) own.freed(String(job.id));
    options.onFinished();
  });
  return {
    worker,
    active: hands.size,
    halt: (on) => {
      halted = on;
    },
    abort: hands.abort,
  };
}
