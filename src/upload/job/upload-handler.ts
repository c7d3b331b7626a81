import type { Destination } from '../../destinations/destination.ts';
import type { AttemptResult } from '../../domain/attempt.ts';
import { mayTakeJobs } from '../../domain/blocker.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { fileVersionId } from '../../domain/file-version.ts';
import type { SkipCode } from '../../domain/receipt.ts';
import { failedAttempts, jobIdOf, type UploadJob, versionIdOf } from '../../domain/upload-job.ts';
import type { QueuedUpload, UploadHandler, UploadStep } from '../../domain/upload-step.ts';
import type { Pauses } from '../../redis/coordination/pauses.ts';
import { type SendOneContext, sendOne } from '../attempt/send-one.ts';
import type { UploadTask } from '../attempt/upload-task.ts';
import type { RetryOptions } from '../options.ts';
import { preflight } from '../preflight.ts';
import type { RootCheck } from '../root-check.ts';
import { type AwaitReady, createAwaitReady } from './await-ready.ts';
import { failedBy, type JobEnd } from './job-end.ts';
import { type NextStep, nextStep } from './next-step.ts';
import { outcomeOf } from './outcome.ts';
import { askAgain, askLater } from './ready-step.ts';
import {
  isFilesOwn,
  ownRefusals,
  type Refusal,
  refusalKey,
  rulingOnStop,
  wrongDestination,
} from './refused.ts';

/** A job that took its worker down this often does so itself; ordinary kills hit the same job less often. */
const MAX_STALLED = 10;

/** When nobody may send, a job comes back after this long instead of spinning. */
const STOPPED_DELAY_MS = 1000;
/** Jobs of a paused batch stand among others in the queue: each is looked at this often. */
const BATCH_PAUSED_DELAY_MS = 15_000;

/** A file that is refused so often while others get through fails for itself. */
const OWN_REFUSALS = 3;
/** Before it is tried again; longer with every time. */
const OWN_REFUSAL_DELAY_MS = 2_000;

/** Until its owner has unpacked it again, or a worker takes it that sees the owner's disk. */
const SPOOL_DELAY_MS = 2_000;

/** With the id that its file version has for the destination its source goes to now. */
interface IdentifiedUpload extends QueuedUpload {
  readonly id: string;
}

export interface UploadHandlerOptions extends Omit<SendOneContext, 'signal'> {
  /** Absolute path of the source's folder as this process sees it. */
  readonly root: string;
  readonly rootCheck: RootCheck;
  /** Absolute path of the folder where files of archives lie until they are recorded, by job id. */
  readonly spool: string;
  readonly pauses: Pick<Pauses, 'ofBatch' | 'of'>;
  readonly retry: RetryOptions;
  readonly random: () => number;
  /** Why the rules of its source keep a file back that was queued before they said so; null: they do not. */
  readonly ruledOut?:
    | ((job: UploadJob) => { readonly code: SkipCode; readonly message: string } | null)
    | undefined;
  /** How a file is sent that differs from the others of its source; null, or left out: none does. */
  readonly ownUpload?: ((upload: QueuedUpload) => OwnUpload | null) | undefined;
}

/** What one file has of its own. */
export interface OwnUpload {
  /** Where its bytes lie, of what kind they are. */
  readonly task: Pick<UploadTask, 'at' | 'sha256' | 'contentTypeOverride' | 'rootCheck'>;
  /** The destination of the queue, as this file needs it. */
  readonly destination: Destination;
}

/** The options of all jobs, and who asks whether accepted files can be used; null: nobody has to. */
interface Context extends UploadHandlerOptions {
  readonly awaitReady: AwaitReady | null;
}

/**
 * What a worker does with one job: wait for a permit, upload, and decide what follows. Where the destination has to
 * process the file first, the job comes back for looks until it has; it is never sent again.
 */
export function uploadHandler(options: UploadHandlerOptions): UploadHandler {
  const { retry, send, clock, traffic } = options;
  const { readiness, name } = traffic.destination;
  const outage = { outageMs: retry.deadline, outagePauseMs: retry.maxDelay };
  const awaitReady = readiness === null ? null : createAwaitReady({ readiness, send, clock, ...outage });
  const context: Context = { ...options, awaitReady };
  return (queued, signal) =>
    handle({ ...queued, id: fileVersionId({ ...queued.job, destination: name }) }, context, signal);
}

async function handle(upload: IdentifiedUpload, context: Context, signal: AbortSignal): Promise<UploadStep> {
  const { job } = upload;
  const { traffic, pauses, retry, random, log } = context;
  const hopeless = settledWithoutUpload(upload, traffic.destination.name);
  if (hopeless !== null) {
    // Under the id that it was queued with: the new version gets its own job, and its own receipt.
    const id = versionIdOf(upload.jobId, job.gen) ?? upload.id;
    return settle({ ...upload, id }, hopeless, failedAttempts(job), context, job.attemptLog, job.destination);
  }
  if (job.uploaded !== undefined) return await lookAgain(upload, context, signal);

  if (pauses.ofBatch(job.batch) !== null) {
    return { kind: 'give-back', delayMs: BATCH_PAUSED_DELAY_MS * (0.5 + random()) };
  }
  if (isPaused(job, context)) return giveBack(job, context);
  // What is not going to be sent waits for no permit and no slot of the rate.
  const own = context.ownUpload?.(upload) ?? null;
  const refusal = context.ruledOut?.(job) ?? preflight(job, (own?.destination ?? traffic.destination).limits);
  if (refusal !== null)
    return settle(upload, { status: 'skipped', ...refusal }, failedAttempts(job), context);

  const { first = false, turn, isOurs } = upload;
  const sending = {
    task: { ...taskOf(upload, context), ...own?.task },
    ...{ source: job.source, first, turn, isOurs },
    ...(own === null ? {} : { destination: own.destination }),
  };
  const result = await sendOne(sending, { ...context, signal });
  if (isMissingFromSpool(job, result)) {
    const fields = { path: job.path, spool: context.spool };
    log.debug(fields, 'not in the spool that this process sees: job given back');
    return { kind: 'give-back', delayMs: SPOOL_DELAY_MS };
  }
  const { queuedAtMs } = upload;
  const step = nextStep(result, job, { retry, random, ...traffic.times(), queuedAtMs });
  return await follow(step, upload, context, signal);
}

function taskOf({ job, jobId }: QueuedUpload, { root, rootCheck, spool }: Context): UploadTask {
  const version = { name: job, size: job.size, mtimeNs: job.mtimeNs };
  return job.spooled === true
    ? { ...version, root: spool, at: { path: jobId } }
    : { ...version, root, rootCheck };
}

async function follow(
  step: NextStep,
  upload: IdentifiedUpload,
  context: Context,
  signal: AbortSignal,
): Promise<UploadStep> {
  const { job } = upload;
  switch (step.kind) {
    case 'settle':
      if (step.jobEnd.status === 'uploaded') {
        const later = askLater(upload, step.jobEnd.result, context);
        return later ?? settle(upload, step.jobEnd, step.attempts, context);
      }
      return await ruledSettle(step, upload, context, signal);
    case 'retry': {
      const { delayMs, entry, history } = step;
      const given = entry.kind === 'rejected' ? await ruledRefusal(step.failure, context, signal) : null;
      if (given !== null) return given;
      context.log.debug({ path: job.path, ...entry, delayMs }, 'upload will be tried again');
      return { kind: 'retry', delayMs, job: { ...job, ...history } };
    }
    case 'stop-destination':
      return await ruledStop(step, upload, context, signal);
    case 'give-back':
      return giveBack(job, context);
  }
}

/** An accepted file is asked for, no permit: such looks have a quota of their own. */
async function lookAgain(
  upload: IdentifiedUpload,
  context: Context,
  signal: AbortSignal,
): Promise<UploadStep> {
  const step = await askAgain(upload, context, signal);
  switch (step.kind) {
    case 'settle':
      return settle(upload, step.jobEnd, failedAttempts(upload.job) + 1, context);
    case 'look-again':
      return { kind: 'give-back', delayMs: step.delayMs };
    case 'stop-destination':
      context.traffic.stop(step.failure);
      return { kind: 'give-back', delayMs: STOPPED_DELAY_MS };
    case 'give-back':
      return giveBack(upload.job, context);
  }
}

/** G6: what is refused may be the destination's doing and must not be recorded before that shows. */
async function ruledSettle(
  { jobEnd, attempts, attemptLog }: Extract<NextStep, { kind: 'settle' }>,
  upload: IdentifiedUpload,
  context: Context,
  signal: AbortSignal,
): Promise<UploadStep> {
  const given =
    jobEnd.status === 'failed' && jobEnd.kind === 'rejected'
      ? await ruledRefusal(jobEnd, context, signal)
      : null;
  return given ?? settle(upload, jobEnd, attempts, context, attemptLog);
}

/** @returns what happens to the job where the refusal is the destination's, or nobody knows; null: it is the file's */
async function ruledRefusal(
  refusal: Refusal,
  { traffic }: Context,
  signal: AbortSignal,
): Promise<UploadStep | null> {
  const ruling = await traffic.refusals.rule(refusalKey(refusal), signal, isFilesOwn(refusal));
  if (ruling === 'destination-wrong') traffic.stop(wrongDestination(refusal));
  if (ruling !== 'destination-wrong' && ruling !== 'give-back') return null;
  return { kind: 'give-back', delayMs: ruling === 'give-back' ? 0 : STOPPED_DELAY_MS };
}

/** G7: what would stop the destination may be about this one file, where others get through. */
async function ruledStop(
  { failure, history }: Extract<NextStep, { kind: 'stop-destination' }>,
  upload: IdentifiedUpload,
  context: Context,
  signal: AbortSignal,
): Promise<UploadStep> {
  const { traffic, random, log } = context;
  const job = { ...upload.job, ...history };
  const ruling = await rulingOnStop(failure, upload.job, traffic, signal);
  if (ruling === 'give-back') return giveBack(upload.job, context);
  if (ruling === 'stop') {
    traffic.stop(failure);
    return { kind: 'retry', delayMs: STOPPED_DELAY_MS, job };
  }
  const tries = ownRefusals(history);
  if (tries >= OWN_REFUSALS)
    return settle(upload, failedBy(failure), failedAttempts(history), context, history.attemptLog);
  const delayMs = OWN_REFUSAL_DELAY_MS * tries * (0.5 + random());
  log.debug({ path: job.path, code: failure.code, delayMs }, 'refused while others get through');
  return { kind: 'retry', delayMs, job };
}

function isPaused({ source }: UploadJob, { pauses, traffic }: Context): boolean {
  return pauses.of({ name: source, destination: traffic.destination.name }) !== null;
}

function giveBack(job: UploadJob, context: Context): UploadStep {
  const mayGo = mayTakeJobs(context.traffic.blockers()) && !isPaused(job, context);
  return { kind: 'give-back', delayMs: mayGo ? 0 : STOPPED_DELAY_MS };
}

/**
 * @param attemptLog left out: this time nothing was tried
 * @param destination that the version was for, where its source goes elsewhere by now
 */
function settle(
  { id, job, queuedAtMs }: IdentifiedUpload,
  jobEnd: JobEnd,
  attempts: number,
  { traffic, clock }: Context,
  attemptLog = job.attemptLog,
  destination = traffic.destination.name,
): UploadStep {
  const facts = { id, destination, attempts, attemptLog, queuedAtMs, nowMs: clock.nowMs() };
  return { kind: 'settle', outcome: outcomeOf(job, jobEnd, facts) };
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

/** Rule destCheck, in our way: what was queued for another destination ends as `changed`, under the id that it was queued with. */
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
