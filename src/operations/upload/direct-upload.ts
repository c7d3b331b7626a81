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
import { systemClock } from '../../platform/waiting/clock.ts';
import { type DestinationTraffic, openDestinationTraffic } from '../../traffic/destination-traffic.ts';
import { type HttpSend, uploadFile } from '../../upload/attempt/upload-file.ts';
import { createSmallReads } from '../../upload/body/small-reads.ts';
import type { AttemptHistory } from '../../upload/job/attempt-log.ts';
import { createAwaitReady } from '../../upload/job/await-ready.ts';
import { failedBy, type JobEnd } from '../../upload/job/job-end.ts';
import { nextStep } from '../../upload/job/next-step.ts';
import { outcomeOf } from '../../upload/job/outcome.ts';
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

type Heard = (answer: DirectAnswer) => void;

/** A direct uploader towards one destination. */
export function directUploader(options: {
  readonly destination: OpenDestination;
  readonly concurrency: ConcurrencyOptions;
  readonly retry: RetryOptions;
  /** What every receipt carries; null: nothing. */
  readonly meta?: FileMeta | null;
  readonly send: HttpSend;
  readonly log: Log;
}): DirectUploader {
  const { destination, retry, send, log } = options;
  const clock = systemClock;
  const smallReads = createSmallReads(false, clock.monotonicMs);
  const { readiness } = destination;
  // Nobody is there to wait out an outage: the destination's own deadline ends the looks.
  const awaitReady =
    readiness === null ? null : createAwaitReady({ readiness, send, clock, outageMs: 0, outagePauseMs: 0 });
  const traffic: DestinationTraffic = openDestinationTraffic({
    destination,
    concurrency: options.concurrency,
    rate: destination.definition.rate,
    // A person waits: each file is tried in its own time, and tells how it ended.
    circuit: false,
    inHand: () => 0,
    // Each file says for itself why it failed.
    log: silentLog,
    now: clock.nowMs,
  });

  async function attempt(file: DirectFile, signal: AbortSignal, heard: Heard): Promise<AttemptResult> {
    const release = await traffic.permits.acquire(DIRECT_SOURCE, signal);
    if (release === null) return { kind: 'aborted' };
    const startedAtMs = clock.monotonicMs();
    const underWay = traffic.started();
    try {
      const task = {
        root: file.folder,
        name: pathNameOf(file.fileName),
        size: file.size,
        mtimeNs: file.mtimeNs,
      };
      const result = await uploadFile(task, destination, listening(heard), {
        clock,
        signal,
        log,
        smallReads,
      });
      const rttMs = clock.monotonicMs() - startedAtMs;
      traffic.finished(result, { rttMs, bytes: file.size, file: file.shown.toString() });
      return result;
    } finally {
      underWay.ended();
      release();
    }
  }

  function listening(heard: Heard): HttpSend {
    return async (request) => {
      const answer = await send(request);
      const { headers } = request;
      heard({ body: answer.body, clean: (text) => destination.withoutSecrets(text, headers) });
      return answer;
    };
  }

  /** Until the accepted file can be used; holds no permit. */
  async function whenReady(id: string, accepted: JobEnd, signal: AbortSignal): Promise<JobEnd> {
    // Without an id there is nothing to ask for.
    if (awaitReady === null || accepted.status !== 'uploaded' || accepted.result.accepted.fileId === null)
      return accepted;
    const { result } = accepted;
    let atMs = awaitReady.firstLook(id, result);
    for (;;) {
      await sleep(Math.max(0, atMs - clock.nowMs()), signal);
      const step = await awaitReady.look(id, result, signal);
      signal.throwIfAborted();
      if (step.kind === 'settle') return step.jobEnd;
      if (step.kind === 'stop-destination') return failedBy(step.failure);
      if (step.kind === 'look-again') atMs = step.atMs;
    }
  }

  async function upload(file: DirectFile, signal: AbortSignal, heard: Heard): Promise<Ended> {
    const { size, mtimeNs } = file;
    const version = {
      source: DIRECT_SOURCE,
      destination: destination.name,
      ...pathNameOf(file.shown),
      size,
      mtimeNs,
    };
    const id = fileVersionId(version);
    let job: UploadJob = newUploadJob(version, 0, null);
    const queuedAtMs = clock.nowMs();
    const receipt = (jobEnd: JobEnd, attempts: number, { attemptLog }: AttemptHistory): Receipt => {
      const nowMs = clock.nowMs();
      const outcome = outcomeOf(job, jobEnd, {
        id,
        destination: destination.name,
        attempts,
        attemptLog,
        queuedAtMs,
        nowMs,
      });
      const recordedAt = new Date(nowMs).toISOString();
      const meta = options.meta == null ? {} : { meta: options.meta };
      return { ...outcome, recordedAt, ...meta };
    };
    for (;;) {
      const stopped = traffic.health();
      if (stopped.kind === 'stopped')
        return { receipt: receipt(failedBy(stopped.failure), failedAttempts(job), job), stopped: true };
      const result = await attempt(file, signal, heard);
      signal.throwIfAborted();
      const step = nextStep(result, job, {
        retry,
        nowMs: clock.nowMs(),
        random: Math.random,
        // Nobody is there to wait out an outage: every failure counts.
        lastSuccessAtMs: clock.nowMs() + 1,
        queuedAtMs,
      });
      switch (step.kind) {
        case 'settle': {
          const jobEnd = await whenReady(id, step.jobEnd, signal);
          return { receipt: receipt(jobEnd, step.attempts, step), stopped: false };
        }
        case 'stop-destination':
          traffic.stop(step.failure);
          return {
            receipt: receipt(failedBy(step.failure), failedAttempts(step.history), step.history),
            stopped: true,
          };
        case 'give-back':
          // Dismissed while waiting for a permit: the destination has been stopped by another file.
          continue;
        case 'retry':
          job = { ...job, ...step.history };
          if (result.kind === 'failed' && outOfPatience(job)) {
            return { receipt: receipt(failedBy(result.failure), failedAttempts(job), job), stopped: false };
          }
          log.warn(
            { path: version.path, code: step.entry.code, delayMs: step.delayMs },
            `${version.path}: ${reasonIn(result)}; trying again`,
          );
          await sleep(step.delayMs, signal);
      }
    }
  }

  return {
    async upload(file, signal) {
      let answer: DirectAnswer | null = null;
      const ended = await upload(file, signal, (heard) => {
        answer = heard;
      });
      return { ...ended, answer };
    },
    close: () => traffic.close(),
  };
}

function outOfPatience({ attemptLog }: UploadJob): boolean {
  return attemptLog.filter(({ code }) => code === 'token_service_unreachable').length >= TOKEN_SERVICE_TRIES;
}

function reasonIn(result: AttemptResult): string {
  return result.kind === 'failed' ? result.failure.message : result.kind;
}
