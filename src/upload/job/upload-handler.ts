import type { AttemptResult, UploadedResult, UploadFailure } from '../../domain/attempt.ts';
import { errorMessage, SlipwayError } from '../../domain/errors.ts';
import { fileVersionId } from '../../domain/file-version.ts';
import type { Log } from '../../domain/log.ts';
import { boundedRemote } from '../../domain/receipt.ts';
import { failedAttempts, jobIdOf, type UploadJob } from '../../domain/upload-job.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import type { QueuedUpload, Step, UploadHandler } from '../../queue/upload-worker.ts';
import type { Pauses } from '../../redis/coordination/pauses.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';
import { REFUSALS_TO_STOP } from '../../traffic/unproven-refusals.ts';
import { tellingOfChunks } from '../../traffic/uploads-in-progress.ts';
import { type HttpSend, uploadFile } from '../attempt/upload-file.ts';
import type { SmallReads } from '../body/small-reads.ts';
import type { RetryOptions } from '../options.ts';
import { preflight } from '../preflight.ts';
import type { RootCheck } from '../root-check.ts';
import { createAwaitReady } from './await-ready.ts';
import { failedBy, type JobEnd } from './job-end.ts';
import { type NextStep, nextStep } from './next-step.ts';
import { outcomeOf } from './outcome.ts';

/** A job that took its worker down this often does so itself; ordinary kills hit the same job less often. */
const MAX_STALLED = 10;

/** When nobody may send, a job comes back after this long instead of spinning. */
const STOPPED_DELAY_MS = 1000;
/** Jobs of a paused batch stand among others in the queue: each is looked at this often. */
const BATCH_PAUSED_DELAY_MS = 15_000;

/** Until its owner has unpacked it again, or a worker takes it that sees the owner's disk. */
const SPOOL_DELAY_MS = 2_000;

/** With the id that its file version has for the destination its source goes to now. */
interface IdentifiedUpload extends QueuedUpload {
  readonly id: string;
}

export interface UploadHandlerOptions {
  /** Absolute path of the source's folder as this process sees it. */
  readonly root: string;
  readonly rootCheck: RootCheck;
  /** Absolute path of the folder where files of archives lie until they are recorded, by job id. */
  readonly spool: string;
  readonly traffic: DestinationTraffic;
  readonly pauses: Pick<Pauses, 'ofBatch' | 'of'>;
  readonly send: HttpSend;
  readonly smallReads: SmallReads;
  readonly retry: RetryOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/**
 * What a worker does with one job: wait for a permit, upload, and decide what follows. Where the destination has to
 * process the file first, the job comes back for looks until it has; it is never sent again.
 */
export function uploadHandler(options: UploadHandlerOptions): UploadHandler {
  const { root, rootCheck, traffic, pauses, send, smallReads, retry, clock, random, log } = options;
  const destination = traffic.destination.name;
  const { readiness } = traffic.destination;
  const outage = { outageMs: retry.deadline, outagePauseMs: retry.maxDelay };
  const awaitReady = readiness === null ? null : createAwaitReady({ readiness, send, clock, ...outage });

  return async (queued, signal) => {
    const { job } = queued;
    const upload = { ...queued, id: fileVersionId({ ...job, destination }) };
    const hopeless = settledWithoutUpload(upload, destination);
    if (hopeless !== null) return settle(upload, hopeless, failedAttempts(job));
    if (job.uploaded !== undefined) return await lookAgain(upload, job.uploaded, signal);

    if (pauses.ofBatch(job.batch) !== null) {
      return { kind: 'give-back', delayMs: BATCH_PAUSED_DELAY_MS * (0.5 + random()) };
    }
    if (isPaused(job)) return giveBack(job);
    // What is not going to be sent waits for no permit and no slot of the rate.
    const refusal = preflight(job, traffic.destination.limits);
    if (refusal !== null) return settle(upload, { status: 'skipped', ...refusal }, failedAttempts(job));

    const release = await traffic.permits.acquire(job.source, signal, job.live === true);
    if (release === null) return giveBack(job);
    const result = await attempt(upload, signal, release);
    if (isMissingFromSpool(job, result)) {
      log.debug(
        { path: job.path, spool: options.spool },
        'not in the spool that this process sees: job given back',
      );
      return { kind: 'give-back', delayMs: SPOOL_DELAY_MS };
    }

    const step = nextStep(result, job, {
      retry,
      random,
      ...traffic.times(),
      queuedAtMs: upload.queuedAtMs,
    });
    return await follow(step, upload, signal);
  };

  /** The permit is held for the request alone: a file that waits for its next try holds nobody up. */
  async function attempt(
    { job, jobId }: QueuedUpload,
    signal: AbortSignal,
    release: () => void,
  ): Promise<AttemptResult> {
    const startedAtMs = clock.monotonicMs();
    const underWay = traffic.started();
    try {
      const version = { name: job, size: job.size, mtimeNs: job.mtimeNs };
      const task =
        job.spooled === true
          ? { ...version, root: options.spool, at: { path: jobId } }
          : { ...version, root, rootCheck };
      const result = await uploadFile(task, traffic.destination, watched(underWay.moved), {
        clock,
        signal,
        log,
        smallReads,
      });
      const about = { bytes: job.size, file: `${job.source}/${job.path}` };
      traffic.finished(result, { rttMs: clock.monotonicMs() - startedAtMs, ...about });
      return result;
    } finally {
      underWay.ended();
      release();
    }
  }

  /** A body in one piece is sent before anybody could ask whether it moves. */
  function watched(moved: () => void): HttpSend {
    return (request) => {
      const { body } = request;
      if (body === null || Buffer.isBuffer(body)) return send(request);
      return send({ ...request, body: tellingOfChunks(body, moved) });
    };
  }

  async function follow(step: NextStep, upload: IdentifiedUpload, signal: AbortSignal): Promise<Step> {
    switch (step.kind) {
      case 'settle':
        if (step.jobEnd.status === 'uploaded') return accepted(upload, step.jobEnd, step.attempts);
        return await ruledSettle(step, upload, signal);
      case 'retry':
        log.debug(
          { path: upload.job.path, ...step.entry, delayMs: step.delayMs },
          'upload will be tried again',
        );
        return { kind: 'retry', delayMs: step.delayMs, job: { ...upload.job, ...step.history } };
      case 'stop-destination':
        traffic.stop(step.failure);
        return { kind: 'retry', delayMs: STOPPED_DELAY_MS, job: { ...upload.job, ...step.history } };
      case 'give-back':
        return giveBack(upload.job);
    }
  }

  /** Settled, unless its use has to be waited for: then the job carries what was accepted, and waits on its own. */
  function accepted(
    upload: IdentifiedUpload,
    jobEnd: Extract<JobEnd, { status: 'uploaded' }>,
    attempts: number,
  ): Step {
    const { result } = jobEnd;
    const { fileId, remote } = result.accepted;
    // Without an id there is nothing to ask for.
    if (awaitReady === null || fileId === null) return settle(upload, jobEnd, attempts);
    const uploaded = { ...result, accepted: { ...result.accepted, remote: boundedRemote(remote) } };
    return {
      kind: 'retry',
      delayMs: delayUntil(awaitReady.firstLook(upload.jobId, uploaded)),
      job: { ...upload.job, remoteId: fileId, uploaded },
    };
  }

  /** No permit: looks have a quota of their own. */
  async function lookAgain(
    upload: IdentifiedUpload,
    uploaded: UploadedResult,
    signal: AbortSignal,
  ): Promise<Step> {
    const attempts = failedAttempts(upload.job) + 1;
    // The wait was switched off in the config since.
    if (awaitReady === null) return settle(upload, { status: 'uploaded', result: uploaded }, attempts);
    const step = await awaitReady.look(upload.jobId, uploaded, signal);
    switch (step.kind) {
      case 'settle':
        traffic.looked(null);
        return settle(upload, step.jobEnd, attempts);
      case 'look-again':
        traffic.looked(step.failure);
        if (step.failure !== null)
          log.debug({ path: upload.job.path, code: step.failure.code }, 'readiness could not be asked for');
        return { kind: 'give-back', delayMs: delayUntil(step.atMs) };
      case 'stop-destination':
        traffic.stop(step.failure);
        return { kind: 'give-back', delayMs: STOPPED_DELAY_MS };
      case 'give-back':
        return giveBack(upload.job);
    }
  }

  /** At least a moment: without a delay the job would come straight back. */
  function delayUntil(atMs: number): number {
    return Math.max(1, Math.ceil(atMs - clock.nowMs()));
  }

  /** G6: while no file has succeeded, a refusal may be the destination's doing and must not be recorded yet. */
  async function ruledSettle(
    { jobEnd, attempts, attemptLog }: Extract<NextStep, { kind: 'settle' }>,
    upload: IdentifiedUpload,
    signal: AbortSignal,
  ): Promise<Step> {
    if (jobEnd.status !== 'failed' || jobEnd.kind !== 'rejected')
      return settle(upload, jobEnd, attempts, attemptLog);
    const ruling = await traffic.refusals.rule(`${jobEnd.code}:${jobEnd.httpStatus}`, signal);
    if (ruling === 'stands') return settle(upload, jobEnd, attempts, attemptLog);
    if (ruling === 'destination-wrong') traffic.stop(wrongDestination(jobEnd));
    return { kind: 'give-back', delayMs: ruling === 'give-back' ? 0 : STOPPED_DELAY_MS };
  }

  function isPaused({ source }: UploadJob): boolean {
    return pauses.of({ name: source, destination }) !== null;
  }

  function giveBack(job: UploadJob): Step {
    return { kind: 'give-back', delayMs: traffic.takesJobs() && !isPaused(job) ? 0 : STOPPED_DELAY_MS };
  }

  /** @param attemptLog left out: this time nothing was tried */
  function settle(
    { id, job, queuedAtMs }: IdentifiedUpload,
    jobEnd: JobEnd,
    attempts: number,
    attemptLog = job.attemptLog,
  ): Step {
    const facts = { id, destination, attempts, attemptLog, queuedAtMs, nowMs: clock.nowMs() };
    const outcome = outcomeOf(job, jobEnd, facts);
    return { kind: 'settle', outcome };
  }
}

/**
 * A file in the spool stays until its receipt is recorded: where it is not, or not whole, this worker sees another disk
 * than the owner, or a power cut took it. Neither is the file's fault.
 */
function isMissingFromSpool(job: UploadJob, result: AttemptResult): boolean {
  if (job.spooled !== true) return false;
  if (result.kind === 'failed') return result.failure.code === 'source_root_gone';
  return result.kind === 'skipped' && (result.code === 'vanished' || result.code === 'changed');
}

function settledWithoutUpload(upload: IdentifiedUpload, destination: string): JobEnd | null {
  if (jobIdOf(upload.id, upload.job.gen) !== upload.jobId) {
    return {
      status: 'skipped',
      code: 'changed',
      message: `its source now goes to ${destination}: queued again as a new version`,
    };
  }
  // An accepted file is not given up for what happened to the processes that asked about it.
  if (upload.stalledCount < MAX_STALLED || upload.job.uploaded !== undefined) return null;
  return failedBy(new SlipwayError('crashed_worker', { times: upload.stalledCount }));
}

function wrongDestination(refusal: Extract<JobEnd, { status: 'failed' }>): UploadFailure {
  const detail = `${REFUSALS_TO_STOP} files in a row were refused in the same way and none was accepted (${refusal.message}): correct the destination`;
  return {
    kind: 'misconfigured',
    code: 'misconfigured',
    message: errorMessage('misconfigured', { detail }),
    httpStatus: refusal.httpStatus,
    retryAfterMs: null,
  };
}
