import type { OpenDestination } from '../../destinations/open-destination.ts';
import type { AttemptResult } from '../../domain/attempt.ts';
import type { FileMeta } from '../../domain/file-meta.ts';
import { fileVersionId } from '../../domain/file-version.ts';
import { type Log, silentLog } from '../../domain/log.ts';
import { pathNameOf } from '../../domain/path-bytes.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { failedAttempts, newUploadJob, type UploadJob } from '../../domain/upload-job.ts';
import type { ConcurrencyOptions } from '../../pacing/options.ts';
import { sleep } from '../../platform/waiting/abort.ts';
import { type Clock, systemClock } from '../../platform/waiting/clock.ts';
import { type DestinationTraffic, openDestinationTraffic } from '../../traffic/destination-traffic.ts';
import { sendOne } from '../../upload/attempt/send-one.ts';
import type { HttpSend } from '../../upload/attempt/upload-task.ts';
import { createSmallReads, type SmallReads } from '../../upload/body/small-reads.ts';
import type { AttemptHistory } from '../../upload/job/attempt-log.ts';
import { type AwaitReady, createAwaitReady, untilReady } from '../../upload/job/await-ready.ts';
import { failedBy, type JobEnd } from '../../upload/job/job-end.ts';
import { nextStep } from '../../upload/job/next-step.ts';
import { type OutcomeFacts, outcomeOf } from '../../upload/job/outcome.ts';
import type { RetryOptions } from '../../upload/options.ts';

/** The name in the receipts of files that were named on the command line. */
export const DIRECT_SOURCE = 'upload';

/** A person waits: a token service that refuses connections is not waited for as a daemon would. */
const TOKEN_SERVICE_TRIES = 3;

/** A file as it lay on disk when it was named. */
export interface DirectFile {
  /** Absolute path of its folder, and its name in it. */
  readonly folder: string;
  readonly fileName: Buffer;
  /** As the user wrote it; goes into the receipt. */
  readonly shown: Buffer;
  readonly size: number;
  readonly mtimeNs: string;
}

/** How one file ended, and whether the destination itself is to blame. */
export interface DirectResult {
  readonly receipt: Receipt;
  /** The destination is stopped (credentials, clock, account): nobody else need try. */
  readonly stopped: boolean;
  /** The API's own answer to the last request; null when there was none. */
  readonly answer: DirectAnswer | null;
}

export interface DirectAnswer {
  /** As it came: what is shown of it has to be cleaned. */
  readonly body: string;
  /** Takes our credentials out of a text, should the far side have sent them back (G5). */
  clean(text: string): string;
}

type Ended = Omit<DirectResult, 'answer'>;

/** Uploads files at once, without queue and Redis; retries as the daemon would. */
export interface DirectUploader {
  upload(file: DirectFile, signal: AbortSignal): Promise<DirectResult>;
  close(): Promise<void>;
}

export interface DirectUploaderOptions {
  readonly destination: OpenDestination;
  readonly concurrency: ConcurrencyOptions;
  readonly retry: RetryOptions;
  /** What every receipt carries; null: nothing. */
  readonly meta?: FileMeta | null;
  readonly send: HttpSend;
  readonly log: Log;
}

/** What all files of one uploader share. */
interface Context extends DirectUploaderOptions {
  readonly traffic: DestinationTraffic;
  /** Null: accepted files can be used at once. */
  readonly awaitReady: AwaitReady | null;
  readonly smallReads: SmallReads;
  readonly clock: Clock;
}

/** A direct uploader towards one destination. */
export function directUploader(options: DirectUploaderOptions): DirectUploader {
  const { destination, concurrency, send } = options;
  const { readiness } = destination;
  const clock = systemClock;
  const traffic = openDestinationTraffic({
    destination,
    concurrency,
    rate: destination.definition.rate,
    // A person waits: each file is tried in its own time, and tells how it ended.
    circuit: false,
    inHand: () => 0,
    // Each file says for itself why it failed.
    log: silentLog,
    now: clock.nowMs,
  });
  // Nobody is there to wait out an outage: the destination's own deadline ends the looks.
  const awaitReady =
    readiness === null ? null : createAwaitReady({ readiness, send, clock, outageMs: 0, outagePauseMs: 0 });
  const smallReads = createSmallReads(false, clock.monotonicMs);
  const context: Context = { ...options, traffic, awaitReady, smallReads, clock };
  return {
    async upload(file, signal) {
      let answer: DirectAnswer | null = null;
      const heard: HttpSend = async (request) => {
        const { body, ...rest } = await send(request);
        const { headers } = request;
        answer = { body, clean: (text) => destination.withoutSecrets(text, headers) };
        return { body, ...rest };
      };
      const ended = await uploadUntilItEnds(file, { ...context, send: heard }, signal);
      return { ...ended, answer };
    },
    close: () => traffic.close(),
  };
}

/** Tries one file until it has a receipt. */
async function uploadUntilItEnds(file: DirectFile, context: Context, signal: AbortSignal): Promise<Ended> {
  const { traffic, retry, clock, log } = context;
  const { id, firstJob } = identify(file, context);
  let job = firstJob;
  const queuedAtMs = clock.nowMs();
  const end = (jobEnd: JobEnd, attempts: number, { attemptLog }: AttemptHistory): Ended => {
    const facts = { id, attempts, attemptLog, queuedAtMs };
    return { receipt: receiptOf(job, jobEnd, facts, context), stopped: false };
  };
  for (;;) {
    const stopped = traffic.health();
    if (stopped.kind === 'stopped')
      return { ...end(failedBy(stopped.failure), failedAttempts(job), job), stopped: true };
    const result = await attempt(file, context, signal);
    signal.throwIfAborted();
    const nowMs = clock.nowMs();
    // Nobody is there to wait out an outage: every failure counts.
    const times = { nowMs, lastSuccessAtMs: nowMs + 1, queuedAtMs };
    const step = nextStep(result, job, { retry, random: Math.random, ...times });
    switch (step.kind) {
      case 'settle':
        return end(await whenReady(id, step.jobEnd, context, signal), step.attempts, step);
      case 'stop-destination': {
        const { failure, history } = step;
        traffic.stop(failure);
        return { ...end(failedBy(failure), failedAttempts(history), history), stopped: true };
      }
      case 'give-back':
        // Dismissed while waiting for a permit: the destination has been stopped by another file.
        continue;
      case 'retry':
        job = { ...job, ...step.history };
        if (result.kind === 'failed' && outOfPatience(job))
          return end(failedBy(result.failure), failedAttempts(job), job);
        log.warn(
          { path: job.path, code: step.entry.code, delayMs: step.delayMs },
          `${job.path}: ${reasonIn(result)}; trying again`,
        );
        await sleep(step.delayMs, signal);
    }
  }
}

function identify(
  { shown, size, mtimeNs }: DirectFile,
  { destination }: Context,
): { readonly id: string; readonly firstJob: UploadJob } {
  const names = { source: DIRECT_SOURCE, destination: destination.name, ...pathNameOf(shown) };
  const version = { ...names, size, mtimeNs };
  return { id: fileVersionId(version), firstJob: newUploadJob(version, 0, null) };
}

async function attempt(file: DirectFile, context: Context, signal: AbortSignal): Promise<AttemptResult> {
  const name = pathNameOf(file.fileName);
  const task = { root: file.folder, name, size: file.size, mtimeNs: file.mtimeNs };
  return await sendOne({ task, source: DIRECT_SOURCE }, { ...context, signal });
}

/** Until the accepted file can be used; holds no permit. */
async function whenReady(
  id: string,
  jobEnd: JobEnd,
  { awaitReady, clock }: Context,
  signal: AbortSignal,
): Promise<JobEnd> {
  if (jobEnd.status !== 'uploaded' || awaitReady === null) return jobEnd;
  // Without an id there is nothing to ask for.
  if (jobEnd.result.accepted.fileId === null) return jobEnd;
  return await untilReady(id, jobEnd.result, awaitReady, clock, signal);
}

function receiptOf(
  job: UploadJob,
  jobEnd: JobEnd,
  facts: Pick<OutcomeFacts, 'id' | 'attempts' | 'attemptLog' | 'queuedAtMs'>,
  { destination, clock, meta }: Context,
): Receipt {
  const nowMs = clock.nowMs();
  const outcome = outcomeOf(job, jobEnd, { ...facts, destination: destination.name, nowMs });
  const recordedAt = new Date(nowMs).toISOString();
  return { ...outcome, recordedAt, ...(meta == null ? {} : { meta }) };
}

function outOfPatience({ attemptLog }: UploadJob): boolean {
  return attemptLog.filter(({ code }) => code === 'token_service_unreachable').length >= TOKEN_SERVICE_TRIES;
}

function reasonIn(result: AttemptResult): string {
  return result.kind === 'failed' ? result.failure.message : result.kind;
}
