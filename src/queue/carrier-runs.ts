import { setMaxListeners } from 'node:events';
import { DelayedError, type Job, WaitingError } from 'bullmq';
import { reasonOf } from '../domain/errors.ts';
import type { Outcome } from '../domain/receipt.ts';
import type { UploadHandler, UploadStep } from '../domain/upload-step.ts';
import { type CarriedFile, decodeCarrier } from './carrier.ts';
import { decodeOutcome } from './codec.ts';
import { jobsInHand } from './jobs-in-hand.ts';
import { doneKey, type KeptResults } from './kept-results.ts';
import { type FileEnd, handOverOrShare, type OwnBooks } from './own-books.ts';
import type { Runs } from './single-runs.ts';
import { openStockWorker, type WorkerPlace } from './stock-worker.ts';

/** A carrier whose worker died so often may hold a file that kills it: from then on each stands for itself (rule crashSingles). */
const STALLED_TOGETHER = 2;

export interface CarrierRunsOptions extends WorkerPlace {
  /** Carriers in hand at once. */
  readonly concurrency: number;
  /** null: this process uploads nothing, and each file becomes a job of its own. */
  readonly handler: UploadHandler | null;
  readonly own: OwnBooks;
  readonly results: Pick<KeptResults, 'share'>;
}

type Ended = 'settled' | 'back';

/** It goes on as a job of its own, at once. */
const ALONE = { kind: 'give-back', delayMs: 0 } as const satisfies UploadStep;

// Over 80 lines: a carrier from its taking to its end: each of its files ends in one of three ways, and all of them share halt, hands and books.
/**
 * Runs carriers, in the owner's process only. A carrier is done when each of its files is recorded durably or has become
 * a job of its own (rules waitDurable, again). What the owner knows is not sent, so that a carrier that runs a second
 * time, because its lock was lost or Redis went back, sends nothing again.
 */
export function openCarrierRuns(options: CarrierRunsOptions): Runs {
  const { connection, prefix, source, handler, own, results, log } = options;
  const carriers = jobsInHand<Ended>();
  /** Files that are being sent, or wait for their turn. */
  const files = jobsInHand<UploadStep>();
  /** All of whose files are settled, and which are not known to have left Redis. */
  const ending = new Set<Job>();
  let halted = false;
  let turn = newTurn();

  const processor = async (job: Job, token: string | undefined): Promise<unknown> => {
    const members = decodeCarrier(job.data);
    // Evicted: its files are in no carrier, and the next comparison finds that.
    if (members === null) return null;
    try {
      const ended = halted ? 'back' : await carriers.share(String(job.id), () => runAll(job, members));
      if (ended === 'settled') {
        ending.add(job);
        return null;
      }
      await job.moveToWait(token);
    } catch (error) {
      log.debug({ source, reason: reasonOf(error) }, 'a carrier is left as it lies, it runs again later');
      throw new DelayedError();
    }
    throw new WaitingError();
  };

  async function runAll(job: Job, members: readonly CarriedFile[]): Promise<Ended> {
    const beside = await resultsBeside(members);
    const ends = await Promise.all(members.map((file) => runOne(file, job, beside.get(file.jobId) ?? null)));
    return ends.every((end) => end === 'settled') ? 'settled' : 'back';
  }

  /** What somebody has got for a file while it was a job of its own (rule carrierDone). */
  async function resultsBeside(members: readonly CarriedFile[]): Promise<Map<string, Outcome>> {
    const texts = await connection.mget(members.map(({ jobId }) => doneKey(prefix, source, jobId)));
    const found = new Map<string, Outcome>();
    for (const [index, text] of texts.entries()) {
      const member = members[index];
      if (text !== null && member !== undefined) found.set(member.jobId, decodeOutcome(text));
    }
    return found;
  }

  async function runOne(file: CarriedFile, job: Job, beside: Outcome | null): Promise<Ended> {
    const { jobId } = file;
    for (;;) {
      if (own.isRecorded(jobId) || own.isSingle(jobId)) return 'settled';
      if (halted) return 'back';
      const end = await own
        .share(jobId, 'carrier', () => send(file, job, beside))
        // It cannot be recorded here any more.
        .catch((error: unknown) => {
          log.debug({ source, reason: reasonOf(error) }, 'an outcome is not recorded here any more');
          return null;
        });
      if (end === null) return 'back';
      if (end.kind !== 'step') return 'settled';
      if (halted) return 'back';
      // It was another job's go, which comes back by itself: from here on the file is that job's.
      await leaveCarrier(file, job, end.step);
    }
  }

  async function send(file: CarriedFile, job: Job, beside: Outcome | null): Promise<FileEnd> {
    const { jobId } = file;
    if (own.isRecorded(jobId)) return { kind: 'recorded' };
    if (own.isSingle(jobId)) return { kind: 'single' };
    const step = beside === null ? await sent(file, job) : ({ kind: 'settle', outcome: beside } as const);
    if (step.kind === 'settle') {
      await handOverOrShare(own, results, jobId, step.outcome);
      return { kind: 'recorded' };
    }
    // Shutdown and pause put the carrier back as it is; a try that failed is remembered all the same.
    if (halted && step.kind === 'give-back') return { kind: 'step', step };
    await leaveCarrier(file, job, step);
    return { kind: 'single' };
  }

  async function sent({ jobId, job: data }: CarriedFile, job: Job): Promise<UploadStep> {
    if (handler === null || job.stalledCounter >= STALLED_TOGETHER) return ALONE;
    const leave = files.enter(jobId);
    try {
      const upload = { jobId, job: data, queuedAtMs: job.timestamp, stalledCount: 0, turn: turn.signal };
      return await files.share(jobId, (signal) => handler(upload, signal));
    } catch (error) {
      // A defect: what it is, its own job will say.
      log.debug({ source, path: data.path, reason: reasonOf(error) }, 'a file leaves its carrier');
      return ALONE;
    } finally {
      leave();
    }
  }

  /** It has to be tried again, or wait: as a job of its own, which holds up no other. */
  async function leaveCarrier(
    file: CarriedFile,
    job: Job,
    step: Exclude<UploadStep, { kind: 'settle' }>,
  ): Promise<void> {
    const isRetry = step.kind === 'retry';
    const single = isRetry ? { jobId: file.jobId, job: step.job } : file;
    const kind = isRetry || file.job.live === true ? 'live' : 'backlog';
    await own.becomeSingle(single, kind, { delayMs: step.delayMs, queuedAtMs: job.timestamp });
  }

  /** One that stands in no list any more (evicted) cannot end: what is left of it goes (rule orphan). */
  async function removeLeft(): Promise<void> {
    for (const job of [...ending]) {
      if ((await job.getState()) !== 'unknown') continue;
      await job.remove();
      ending.delete(job);
    }
  }

  const { concurrency } = options;
  const worker = openStockWorker('carriers', options, { concurrency, keepsResults: false }, processor);
  worker.on('completed', (job) => void ending.delete(job));
  worker.on('failed', (job) => job !== undefined && ending.delete(job));
  worker.on('error', () => {
    if (ending.size === 0 || connection.status !== 'ready') return;
    removeLeft().catch((error: unknown) =>
      log.debug({ source, reason: reasonOf(error) }, 'what is left of a carrier stays for now'),
    );
  });
  return {
    worker,
    active: files.size,
    halt(on) {
      if (halted === on) return;
      halted = on;
      // Whoever waits for a permit goes back: hundreds of files travel at once, and none is to be sent now.
      if (on) turn.abort('halted');
      else turn = newTurn();
    },
    abort(reason) {
      files.abort(reason);
    },
  };
}

/** Ends the wait for a permit of every file that travels. */
function newTurn(): AbortController {
  const turn = new AbortController();
  setMaxListeners(0, turn.signal);
  return turn;
}
