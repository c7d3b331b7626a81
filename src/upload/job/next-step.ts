import { type AttemptResult, isAttempt, type UploadFailure } from '../../domain/attempt.ts';
import type { AttemptEntry } from '../../domain/attempt-entry.ts';
import { errorMessage } from '../../domain/errors.ts';
import { failedAttempts } from '../../domain/upload-job.ts';
import { fullJitterMs } from '../../pacing/backoff.ts';
import { GATE } from '../../pacing/pacing-constants.ts';
import { formatDuration } from '../../platform/units.ts';
import type { RetryOptions } from '../options.ts';
import { type AttemptHistory, countedAttempts, firstCountedAt, withEntry } from './attempt-log.ts';
import { failedBy, type JobEnd } from './job-end.ts';

/**
 * What follows an attempt.
 * - `settle`: the job ends with this receipt; `attempts` counts the HTTP uploads made for it, this one included, and
 *   `attemptLog` holds its failed tries, this one included where it failed.
 * - `retry`: delay the job by `delayMs` and store `history` with it.
 * - `stop-destination`: nobody sends there until it is mended; the job is kept, with `history`, at no cost.
 * - `give-back`: the job goes back untouched.
 */
export type NextStep =
  | {
      readonly kind: 'settle';
      readonly jobEnd: JobEnd;
      readonly attempts: number;
      readonly attemptLog: readonly AttemptEntry[];
    }
  | {
      readonly kind: 'retry';
      readonly failure: UploadFailure;
      readonly delayMs: number;
      readonly entry: AttemptEntry;
      readonly history: AttemptHistory;
    }
  | {
      readonly kind: 'stop-destination';
      readonly failure: UploadFailure;
      readonly entry: AttemptEntry;
      readonly history: AttemptHistory;
    }
  | { readonly kind: 'give-back' };

export interface StepContext {
  readonly retry: RetryOptions;
  /** Milliseconds since the epoch, on the clock of all processes that send there, as is the last success. */
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** When any file was last accepted at this destination, as this process knows at once; null: never. */
  readonly lastSuccessAtMs: number | null;
  /** The same from any process, as one hears of it a moment later. */
  readonly heardSuccessAtMs?: number | null;
  readonly queuedAtMs: number;
}

/** The rules of G6. Pure. */
export function nextStep(result: AttemptResult, history: AttemptHistory, context: StepContext): NextStep {
  if (result.kind === 'aborted') return { kind: 'give-back' };
  const attempted = isAttempt(result);
  const attempts = failedAttempts(history) + (attempted ? 1 : 0);
  const { attemptLog } = history;
  switch (result.kind) {
    case 'uploaded':
      return { kind: 'settle', jobEnd: { status: 'uploaded', result }, attempts, attemptLog };
    case 'skipped':
      return {
        kind: 'settle',
        jobEnd: { status: 'skipped', code: result.code, message: result.message },
        attempts,
        attemptLog,
      };
    case 'unreadable':
      return {
        kind: 'settle',
        jobEnd: {
          status: 'failed',
          code: result.code,
          kind: 'local',
          message: result.message,
          httpStatus: null,
        },
        attempts,
        attemptLog,
      };
    case 'failed':
      return afterFailure(result.failure, { attempted, attempts }, history, context);
  }
}

function afterFailure(
  failure: UploadFailure,
  { attempted, attempts }: { readonly attempted: boolean; readonly attempts: number },
  history: AttemptHistory,
  context: StepContext,
): NextStep {
  const { retry, nowMs } = context;
  const { code, kind, httpStatus } = failure;
  /** The first time it may have been the way there; every try may leave another copy. */
  const isOnceMore = code === 'size_mismatch' && !history.attemptLog.some((entry) => entry.code === code);
  const counted = kind === 'rejected' || uses(failure, history, context);
  const at = new Date(nowMs).toISOString();
  const entry: AttemptEntry = {
    at,
    code,
    kind,
    httpStatus,
    counted,
    ...(attempted ? {} : { attempted }),
  };
  const next = withEntry(history, entry);
  const settle = (reason: UploadFailure): NextStep => ({
    kind: 'settle',
    jobEnd: failedBy(reason),
    attempts,
    attemptLog: next.attemptLog,
  });
  if (isOnceMore)
    return {
      ...{ kind: 'retry', failure, entry },
      delayMs: retryDelayMs(failure, next.attemptLog.length, context),
      history: next,
    };
  if (kind === 'rejected') return settle(failure);
  if (kind === 'misconfigured' || kind === 'exhausted') {
    return { kind: 'stop-destination', failure, entry, history: next };
  }
  if (countedAttempts(next) >= retry.attempts) return settle(failure);

  const delayMs = retryDelayMs(failure, next.attemptLog.length, context);
  // An outage, a pause and what the far side asks to wait are no fault of the file's.
  const failingForMs = nowMs - Date.parse(firstCountedAt(next) ?? at);
  if (counted && failingForMs > retry.deadline) {
    const message = errorMessage('deadline', {
      deadline: formatDuration(retry.deadline),
      last: failure.message,
    });
    return settle({ ...failure, code: 'deadline', message });
  }
  return { kind: 'retry', failure, delayMs, entry, history: next };
}

/** Trouble that is nobody's file: waiting for it costs nothing, however long it takes. */
const NEVER_COUNTED = new Set([
  'token_service_unreachable',
  'token_command_failed',
  'source_root_gone',
  'source_root_closed',
  'out_of_handles',
]);

/** May be this very file's doing, so it must end some day even where nothing else succeeds. */
const ALWAYS_COUNTED = new Set(['read_failed', 'internal', 'parts_expired']);

/**
 * Does this failure use up one of `retry.attempts`? Never a refused token or a 429. `unavailable` does only when
 * another file got through since this one's previous attempt (since it was queued, before the first): otherwise the
 * whole destination is down, and an outage never dead-letters anything.
 */
function uses(failure: UploadFailure, history: AttemptHistory, context: StepContext): boolean {
  if (!mayCount(failure)) return false;
  if (ALWAYS_COUNTED.has(failure.code)) return true;
  const { lastSuccessAtMs, heardSuccessAtMs = null, queuedAtMs } = context;
  const previous = history.attemptLog.at(-1);
  const sinceMs = previous === undefined ? queuedAtMs : Date.parse(previous.at);
  if (lastSuccessAtMs !== null && lastSuccessAtMs > sinceMs) return true;
  return heardSuccessAtMs !== null && heardSuccessAtMs > judgedUntilMs(history, context);
}

/**
 * Up to when this file's failures were judged by all that was known. One that did not count for want of a success does not
 * move it: of a success in another process one hears late, and by then a file that comes back quickly has failed again.
 * Each count takes a success of its own, so none counts that would not have, had it been known at once.
 */
function judgedUntilMs({ attemptLog, dropped }: AttemptHistory, { queuedAtMs }: StepContext): number {
  const judged = attemptLog.findLast((entry) => entry.counted || !mayCount(entry));
  if (judged !== undefined) return Date.parse(judged.at);
  const [oldest] = attemptLog;
  return dropped === undefined || oldest === undefined ? queuedAtMs : Date.parse(oldest.at);
}

function mayCount({ kind, code }: Pick<AttemptEntry, 'kind' | 'code'>): boolean {
  return kind === 'unavailable' && !NEVER_COUNTED.has(code);
}

/**
 * As long as the far side asks for, else our backoff; up to a tenth more, so that not everybody returns at once. A long
 * wait of a 429 is the gate's, for all files of the destination: `resume` then frees this one too.
 */
function retryDelayMs(failure: UploadFailure, failures: number, { retry, random }: StepContext): number {
  const ownMs = fullJitterMs(failures, { baseDelayMs: retry.baseDelay, maxDelayMs: retry.maxDelay }, random);
  const askedMs = Math.min(failure.retryAfterMs ?? 0, GATE.mostMs);
  const gated = failure.kind === 'throttled' && askedMs > GATE.longMs;
  const delayMs = gated ? ownMs : Math.max(ownMs, askedMs);
  return Math.ceil(delayMs * (1 + random() / 10));
}
