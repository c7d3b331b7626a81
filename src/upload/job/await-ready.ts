import type { ReadinessLook } from '../../destinations/readiness.ts';
import type { ReadinessPort, SendGet } from '../../destinations/readiness-port.ts';
import type { UploadedResult, UploadFailure } from '../../domain/attempt.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { formatDuration } from '../../platform/units.ts';
import { sleep } from '../../platform/waiting/abort.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import { resultOfError } from '../attempt/attempt-failure.ts';
import type { HttpSend } from '../attempt/upload-file.ts';
import { failedBy, type JobEnd } from './job-end.ts';

/**
 * What follows a look at an accepted file. It is never sent again, whatever a look says.
 * - `settle`: it can be used, never will be, or nobody waits any longer.
 * - `look-again`: not before `atMs`, milliseconds since the epoch. `failure`: why this look told nothing.
 * - `stop-destination`: no look is possible before somebody mends the credentials.
 * - `give-back`: the caller's signal fired.
 */
export type ReadyStep =
  | { readonly kind: 'settle'; readonly jobEnd: JobEnd }
  | { readonly kind: 'look-again'; readonly atMs: number; readonly failure: UploadFailure | null }
  | { readonly kind: 'stop-destination'; readonly failure: UploadFailure }
  | { readonly kind: 'give-back' };

/** Waits for accepted files until they can be used; holds no permit, and no place in the worker between looks. */
export interface AwaitReady {
  /** When to look first at a file that has just been accepted; milliseconds since the epoch. */
  firstLook(jobId: string, uploaded: UploadedResult): number;
  /** Its time has come: look, unless the quota of looks says later. Never throws. */
  look(jobId: string, uploaded: UploadedResult, signal: AbortSignal): Promise<ReadyStep>;
}

export interface AwaitReadyOptions {
  readonly readiness: ReadinessPort;
  readonly send: HttpSend;
  readonly clock: Clock;
  /** How long after the acceptance an outage is waited out, where that is longer than the destination's deadline. */
  readonly outageMs: number;
  /** Pause between looks that do not get through any more. */
  readonly outagePauseMs: number;
}

/** A file object is a few hundred bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** A look this late has lost its place in the quota: many may have waited together, and must not come all at once. */
const LATE_MS = 2_000;
/** A shorter wait for a place is waited out in hand: going back means the end of a queue that may take hours. */
const WAIT_IN_HAND_MS = 2_000;

/**
 * Looks until an accepted file can be used, for whoever keeps it in hand meanwhile.
 * @throws the reason of the signal
 */
export async function untilReady(
  id: string,
  uploaded: UploadedResult,
  awaitReady: AwaitReady,
  clock: Clock,
  signal: AbortSignal,
  how: HowToWait = { pause: (delayMs, _message, stop) => sleep(delayMs, stop), tooLong: () => null },
): Promise<JobEnd> {
  let atMs = awaitReady.firstLook(id, uploaded);
  let failure: UploadFailure | null = null;
  for (;;) {
    const delayMs = Math.max(0, atMs - clock.nowMs());
    const over = failure === null ? null : how.tooLong(failure, delayMs);
    if (over !== null) return notReady(uploaded, clock.nowMs(), over.message);
    await how.pause(delayMs, failure?.message ?? 'the file is being processed there', signal);
    const step = await awaitReady.look(id, uploaded, signal);
    signal.throwIfAborted();
    if (step.kind === 'settle') return step.jobEnd;
    if (step.kind === 'stop-destination') return failedBy(step.failure);
    if (step.kind === 'look-again') ({ atMs, failure } = step);
  }
}

/** How whoever keeps a file in hand waits for its next look. */
export interface HowToWait {
  pause(delayMs: number, message: string, signal: AbortSignal): Promise<void>;
  /** What is said where so long is not waited for; null: it is. */
  tooLong(failure: UploadFailure, delayMs: number): UploadFailure | null;
}

function notReady(uploaded: UploadedResult, nowMs: number, last: string): JobEnd {
  const waited = formatDuration(Math.max(1, nowMs - Date.parse(uploaded.uploadedAt)));
  return failedBy(new SlipwayError('not_ready', { id: idForPeople(uploaded), waited, last }));
}

/** Nobody waits yet. */
export function createAwaitReady(options: AwaitReadyOptions): AwaitReady {
  const { readiness, clock } = options;
  const send = sendGet(options.send);
  /** Places taken in the quota by this process; a job that comes without one has been waiting elsewhere. */
  const quota = new Map<string, number>();

  function place(jobId: string, atMs: number): number {
    quota.delete(jobId);
    quota.set(jobId, atMs);
    forgetOld(quota, clock.nowMs() - LATE_MS);
    return atMs;
  }

  function isItsTurn(jobId: string): boolean {
    const atMs = quota.get(jobId);
    quota.delete(jobId);
    return atMs !== undefined && clock.nowMs() - atMs < LATE_MS;
  }

  async function ask(uploaded: UploadedResult, signal: AbortSignal): Promise<ReadinessLook> {
    try {
      return await readiness.poll(uploaded.accepted.fileId ?? '', send, signal);
    } catch (error) {
      const result = resultOfError(error, 0);
      if (result.kind === 'failed') return result.failure;
      throw error;
    }
  }

  return {
    firstLook(jobId, { uploadedAt }) {
      const nowMs = clock.nowMs();
      const next = readiness.next(Date.parse(uploadedAt), nowMs);
      return place(jobId, next.kind === 'poll' ? next.atMs : readiness.turn(nowMs));
    },

    async look(jobId, uploaded, signal) {
      const ownMs = quota.get(jobId);
      // `resume` has all of them come at once: the quota of looks holds all the same.
      if (ownMs !== undefined && ownMs - clock.nowMs() > WAIT_IN_HAND_MS)
        return { kind: 'look-again', atMs: ownMs, failure: null };
      if (!isItsTurn(jobId)) {
        const nowMs = clock.nowMs();
        const atMs = readiness.turn(nowMs);
        const waitMs = atMs - nowMs;
        if (waitMs > WAIT_IN_HAND_MS) return { kind: 'look-again', atMs: place(jobId, atMs), failure: null };
        // The signal ends it early; what follows sees that.
        if (waitMs > 0) await sleep(waitMs, signal).catch(() => undefined);
      }
      if (signal.aborted) return { kind: 'give-back' };
      const seen = await ask(uploaded, signal);
      if (signal.aborted) return { kind: 'give-back' };
      if (typeof seen === 'object' && (seen.kind === 'misconfigured' || seen.kind === 'exhausted'))
        return { kind: 'stop-destination', failure: seen };
      const step = afterLook(seen, uploaded, clock.nowMs(), options);
      if (step.kind === 'look-again') place(jobId, step.atMs);
      return step;
    },
  };
}

/** What a look means; takes a place in the quota when there is to be another one. */
function afterLook(
  seen: ReadinessLook,
  uploaded: UploadedResult,
  nowMs: number,
  { readiness, outageMs, outagePauseMs }: AwaitReadyOptions,
): ReadyStep {
  if (seen === 'ready') return { kind: 'settle', jobEnd: { status: 'uploaded', result: uploaded } };
  const id = idForPeople(uploaded);
  if (seen === 'failed') {
    return { kind: 'settle', jobEnd: failedBy(new SlipwayError('processing_failed', { id })) };
  }
  const failure = seen === 'pending' ? null : seen;
  const acceptedAtMs = Date.parse(uploaded.uploadedAt);
  const next = readiness.next(acceptedAtMs, nowMs);
  if (next.kind === 'poll') {
    // Who says when to come again is believed, beyond the deadline too: the look there is the last one.
    const askedMs = nowMs + (failure?.retryAfterMs ?? 0);
    const atMs = askedMs > next.atMs ? readiness.turn(askedMs) : next.atMs;
    return { kind: 'look-again', atMs, failure };
  }
  // An outage says nothing about the file: it is waited out, as long as an upload would be tried again.
  if (failure !== null && failure.code !== 'file_unknown' && nowMs - acceptedAtMs < outageMs) {
    return { kind: 'look-again', atMs: readiness.turn(nowMs + outagePauseMs), failure };
  }
  const last = failure?.message ?? 'still being processed';
  if (failure?.code !== 'file_unknown') return { kind: 'settle', jobEnd: notReady(uploaded, nowMs, last) };
  const waited = formatDuration(Math.max(1, nowMs - acceptedAtMs));
  return { kind: 'settle', jobEnd: failedBy(new SlipwayError('file_unknown', { id, waited, last })) };
}

/** The far side's own text: one line, and not without end. */
function idForPeople({ accepted }: UploadedResult): string {
  return String(accepted.fileId)
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .slice(0, 100);
}

/** Of jobs that never came back, such as those of a Redis that was emptied. They are kept in the order of their making. */
function forgetOld(quota: Map<string, number>, beforeMs: number): void {
  for (const [jobId, atMs] of quota) {
    if (atMs >= beforeMs) return;
    quota.delete(jobId);
  }
}

function sendGet(send: HttpSend): SendGet {
  return ({ url, headers }, signal) =>
    send({
      method: 'GET',
      url,
      headers,
      body: null,
      contentLength: 0,
      signal,
      maxResponseBytes: MAX_ANSWER_BYTES,
    });
}
