import type { OpenDestination } from '../../destinations/open-destination.ts';
import type { AttemptResult, UploadFailure } from '../../domain/attempt.ts';
import { type DestinationBlocker, foremost } from '../../domain/blocker.ts';
import { type FileMeta, mergedMeta } from '../../domain/file-meta.ts';
import { fileVersionId } from '../../domain/file-version.ts';
import { type Log, silentLog } from '../../domain/log.ts';
import { pathNameOf } from '../../domain/path-bytes.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { failedAttempts, newUploadJob, type UploadJob } from '../../domain/upload-job.ts';
import type { ConcurrencyOptions } from '../../pacing/options.ts';
import { formatDuration } from '../../platform/units.ts';
import { sleep } from '../../platform/waiting/abort.ts';
import { type Clock, systemClock } from '../../platform/waiting/clock.ts';
import type { ProbeTiming } from '../../traffic/destination-health.ts';
import { type DestinationTraffic, openDestinationTraffic } from '../../traffic/destination-traffic.ts';
import { sendOne } from '../../upload/attempt/send-one.ts';
import type { HttpSend } from '../../upload/attempt/upload-task.ts';
import { createSmallReads, type SmallReads } from '../../upload/body/small-reads.ts';
import type { AttemptHistory } from '../../upload/job/attempt-log.ts';
import { type AwaitReady, createAwaitReady, untilReady } from '../../upload/job/await-ready.ts';
import { failedBy, type JobEnd } from '../../upload/job/job-end.ts';
import { nextStep } from '../../upload/job/next-step.ts';
import { type OutcomeFacts, outcomeOf } from '../../upload/job/outcome.ts';
import { rulingOnStop } from '../../upload/job/refused.ts';
import type { RetryOptions } from '../../upload/options.ts';
import type { DirectAnswer, DirectFile, DirectResult } from './direct-file.ts';
import { inPatience, type Patience, patienceFor, triedTokenEnough } from './patience.ts';
import { createWaits, type Wait, type Waits } from './waits.ts';

export type { DestinationTraffic } from '../../traffic/destination-traffic.ts';
export type { DirectAnswer, DirectFile, DirectResult } from './direct-file.ts';

/** The name in the receipts of files that were named on the command line. */
export const DIRECT_SOURCE = 'upload';

/** Until whoever was dismissed looks again why. */
const DISMISSED_MS = 10;

type Ended = Omit<DirectResult, 'answer'>;

/** Uploads files at once, without queue and Redis; retries as the daemon would. */
export interface DirectUploader {
  upload(file: DirectFile, signal: AbortSignal): Promise<DirectResult>;
  /** Why nobody sends there now; null: files go. */
  blockedBy(): string | null;
  /** What is in the way of all files there, but for trials; null: nothing is. */
  blocker(): DestinationBlocker | null;
  /** What all files wait for while none is on its way; null: they go on. */
  waiting(): Wait | null;
  /** Uploads at once that the destination is given now. */
  limit(): number;
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
  /** The name in the receipts. */
  readonly source?: string;
  /** Longest wait of a file, milliseconds, before a new try may begin; a try under way is never cut. Left out: as `retry` says. */
  readonly patienceMs?: number;
  /** Instead: all files end when none was accepted for so long, milliseconds. */
  readonly giveUpMs?: number;
  /** When a destination that refuses our credentials is tried again. */
  readonly probe?: ProbeTiming;
  /** Whether a destination that is down is left alone but for trials; left out: each file is tried in its own time. */
  readonly circuit?: boolean;
  /** Whoever looks after the destination in this process besides, asked for every file; null: nobody does. */
  readonly sharedTraffic?: () => DestinationTraffic | null;
}

/** What the far side said last of what holds up every file: that it refuses us, or wants to be left alone. */
interface LastWord {
  stopped: DirectAnswer | null;
  throttled: { readonly failure: UploadFailure; readonly answer: DirectAnswer | null } | null;
}

/** What all files of one uploader share. */
interface Shared extends DirectUploaderOptions {
  readonly source: string;
  /** Asked as a file comes. */
  readonly patience: () => Patience;
  readonly waits: Waits;
  readonly lastWord: LastWord;
  readonly traffic: DestinationTraffic;
  /** Null: accepted files can be used at once. */
  readonly awaitReady: AwaitReady | null;
  readonly smallReads: SmallReads;
  readonly clock: Clock;
}

/** What one file adds to that. */
interface Context extends Shared {
  /** The answer to its last request. */
  heard: DirectAnswer | null;
}

/** A direct uploader towards one destination. */
export function directUploader(options: DirectUploaderOptions): DirectUploader {
  const { destination, concurrency, send, source = DIRECT_SOURCE } = options;
  const { readiness } = destination;
  const clock = systemClock;
  const traffic = openDestinationTraffic({
    destination,
    concurrency,
    rate: destination.definition.rate,
    // A person waits: each file is tried in its own time, and tells how it ended.
    circuit: options.circuit ?? false,
    inHand: () => 0,
    // Each file says for itself why it failed.
    log: silentLog,
    now: clock.nowMs,
    ...(options.probe === undefined ? {} : { probe: options.probe }),
  });
  // Nobody is there to wait out an outage: the destination's own deadline ends the looks.
  const awaitReady =
    readiness === null ? null : createAwaitReady({ readiness, send, clock, outageMs: 0, outagePauseMs: 0 });
  const smallReads = createSmallReads(false, clock.monotonicMs);
  const lastWord: LastWord = { stopped: null, throttled: null };
  const waits = createWaits(traffic, clock);
  const patience = patienceFor(options, traffic, clock);
  const shared = { ...options, source, patience, waits, lastWord, awaitReady, smallReads, clock };
  /** For each file anew: somebody else may look after the destination from now on. */
  const current = (): DestinationTraffic => options.sharedTraffic?.() ?? traffic;
  const blocker = (): DestinationBlocker | null =>
    foremost(
      current()
        .blockers()
        .filter(({ passes }) => passes === 'none'),
    );
  return {
    async upload(file, signal) {
      const listening: HttpSend = async (request) => {
        const answer = await send(request);
        const { headers } = request;
        context.heard = { ...answer, clean: (text) => destination.withoutSecrets(text, headers) };
        return answer;
      };
      const context: Context = { ...shared, traffic: current(), send: listening, heard: null };
      const ended = await uploadUntilItEnds(file, context, signal);
      return { ...ended, answer: context.heard };
    },
    blockedBy: () => blocker()?.reason ?? null,
    blocker,
    waiting: waits.current,
    limit: () => current().limit(),
    close: () => traffic.close(),
  };
}

/** Tries one file until it has a receipt. */
async function uploadUntilItEnds(file: DirectFile, context: Context, signal: AbortSignal): Promise<Ended> {
  const { traffic, retry, clock, log, lastWord } = context;
  const patience = context.patience();
  /** How long nobody sends to the destination, because it asked for it. */
  const pauseMs = (): number => {
    const asked = traffic.blockers().find(({ reason }) => reason === 'retry-after');
    return Math.max(0, (asked?.untilMs ?? 0) - clock.nowMs());
  };
  const { id, firstJob } = identify(file, context);
  let job = firstJob;
  let last: UploadFailure | null = null;
  const queuedAtMs = clock.nowMs();
  const end = (jobEnd: JobEnd, attempts: number, { attemptLog }: AttemptHistory): Ended => {
    const facts = { id, attempts, attemptLog, queuedAtMs };
    return { receipt: receiptOf(job, jobEnd, facts, file, context), stopped: false, retryAfterMs: null };
  };
  const failed = (failure: UploadFailure, history: AttemptHistory = job): Ended => ({
    ...end(failedBy(failure), failedAttempts(history), history),
    retryAfterMs: failure.retryAfterMs,
  });
  for (;;) {
    const stopped = traffic.blockers().find((one) => one.reason === 'stopped' && one.passes === 'none');
    if (stopped?.reason === 'stopped') {
      context.heard ??= lastWord.stopped;
      return { ...failed(stopped.failure), stopped: true };
    }
    if (lastWord.throttled !== null && pauseMs() > patience.leftMs()) {
      context.heard = lastWord.throttled.answer;
      return failed(patience.tooLate(lastWord.throttled.failure, pauseMs()));
    }
    const result = await inPatience(patience, signal, (turn) => attempt(file, context, signal, turn));
    signal.throwIfAborted();
    if (result.kind === 'aborted' && patience.leftMs() <= 0) return failed(patience.noTurn(job, last));
    const nowMs = clock.nowMs();
    // Nobody is there to wait out an outage: every failure counts.
    const times = { nowMs, lastSuccessAtMs: nowMs + 1, queuedAtMs };
    const step = nextStep(result, job, { retry, random: Math.random, ...times });
    switch (step.kind) {
      case 'settle':
        return {
          ...end(
            await whenReady(id, step.jobEnd, { ...context, ofFile: patience }, signal),
            step.attempts,
            step,
          ),
          retryAfterMs: result.kind === 'failed' ? result.failure.retryAfterMs : null,
        };
      case 'stop-destination': {
        const { failure, history } = step;
        // Others got through a moment ago: it is about this file.
        if ((await rulingOnStop(failure, job, traffic, signal)) === 'files-own')
          return failed(failure, history);
        signal.throwIfAborted();
        traffic.stop(failure);
        lastWord.stopped = context.heard;
        return { ...failed(failure, history), stopped: true };
      }
      case 'give-back':
        // Dismissed while waiting for a permit: the destination has been stopped by another file, or its process ends.
        await sleep(DISMISSED_MS, signal);
        continue;
      case 'retry': {
        job = { ...job, ...step.history };
        const { failure } = step;
        last = failure;
        const waitMs = Math.max(step.delayMs, pauseMs());
        if (failure.kind === 'throttled') lastWord.throttled = { failure, answer: context.heard };
        if (triedTokenEnough(job)) return failed(failure);
        if (waitMs > patience.leftMs()) return failed(patience.tooLate(failure, waitMs));
        log.warn(
          { path: job.path, code: step.entry.code, delayMs: waitMs },
          `${job.path}: ${failure.message}; trying again in ${formatDuration(waitMs)}`,
        );
        await context.waits.sleep(step.delayMs, failure.message, signal);
      }
    }
  }
}

function identify(
  { shown, size, mtimeNs }: DirectFile,
  { destination, source }: Context,
): { readonly id: string; readonly firstJob: UploadJob } {
  const names = { source, destination: destination.name, ...pathNameOf(shown) };
  const version = { ...names, size, mtimeNs };
  return { id: fileVersionId(version), firstJob: newUploadJob(version, 0, null) };
}

async function attempt(
  file: DirectFile,
  context: Context,
  signal: AbortSignal,
  turn: AbortSignal,
): Promise<AttemptResult> {
  const { folder: root, size, mtimeNs, stored, content, sha256, contentType, destination } = file;
  const task = {
    ...{ root, name: pathNameOf(file.fileName), size, mtimeNs },
    ...(stored === undefined ? {} : { at: { path: stored } }),
    ...(content === undefined ? {} : { content }),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(contentType === undefined ? {} : { contentTypeOverride: contentType }),
  };
  const sending = { task, source: context.source, turn };
  return await sendOne(destination === undefined ? sending : { ...sending, destination }, {
    ...context,
    signal,
  });
}

/** Until the accepted file can be used; holds no permit. */
async function whenReady(
  id: string,
  jobEnd: JobEnd,
  { awaitReady, clock, waits, ofFile }: Context & { readonly ofFile: Patience },
  signal: AbortSignal,
): Promise<JobEnd> {
  if (jobEnd.status !== 'uploaded' || awaitReady === null) return jobEnd;
  // Without an id there is nothing to ask for.
  if (jobEnd.result.accepted.fileId === null) return jobEnd;
  return await untilReady(id, jobEnd.result, awaitReady, clock, signal, {
    pause: waits.sleep,
    tooLong: (failure, delayMs) => (delayMs > ofFile.leftMs() ? ofFile.tooLate(failure, delayMs) : null),
  });
}

function receiptOf(
  job: UploadJob,
  jobEnd: JobEnd,
  facts: Pick<OutcomeFacts, 'id' | 'attempts' | 'attemptLog' | 'queuedAtMs'>,
  file: DirectFile,
  { destination, clock, meta: common }: Context,
): Receipt {
  const nowMs = clock.nowMs();
  const outcome = outcomeOf(job, jobEnd, { ...facts, destination: destination.name, nowMs });
  const recordedAt = new Date(nowMs).toISOString();
  const meta = mergedMeta([common, file.meta]);
  return { ...outcome, recordedAt, ...(meta === null ? {} : { meta }) };
}
