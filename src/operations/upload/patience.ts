import type { UploadFailure } from '../../domain/attempt.ts';
import { errorMessage } from '../../domain/errors.ts';
import type { UploadJob } from '../../domain/upload-job.ts';
import { formatDuration } from '../../platform/units.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';

/** How long files wait for their turn, and for what the far side asks to wait. A try under way is never cut. */
export interface Patience {
  /** Milliseconds that are left of it; 0 or less: none. */
  leftMs(): number;
  /** It got no turn in time. @param last why it was not accepted before; null: it was never sent */
  noTurn(job: UploadJob, last: UploadFailure | null): UploadFailure;
  /** Its next try would begin in so many milliseconds, later than the patience lasts. */
  tooLate(failure: UploadFailure, waitMs: number): UploadFailure;
}

/** Nobody waits longer for a timer than it can count. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What the files of one uploader have: each its own, or all together. Asked as a file comes. */
export function patienceFor(
  {
    patienceMs = Number.POSITIVE_INFINITY,
    giveUpMs,
  }: { readonly patienceMs?: number; readonly giveUpMs?: number },
  traffic: Pick<DestinationTraffic, 'lastProgressAtMs' | 'movingSinceMs'>,
  { monotonicMs, nowMs }: Clock,
): () => Patience {
  if (giveUpMs === undefined) return () => patienceOfEach(patienceMs, monotonicMs);
  const ofAll = patienceOfAll(giveUpMs, {
    monotonicMs,
    lastSuccessAgoMs() {
      const atMs = traffic.lastProgressAtMs();
      return atMs === null ? null : nowMs() - atMs;
    },
    isMoving: () => traffic.movingSinceMs() !== null,
  });
  return () => ofAll;
}

/** One file waits so long from now on, whatever others do. */
export function patienceOfEach(patienceMs: number, monotonicMs: () => number): Patience {
  const endsAtMs = monotonicMs() + patienceMs;
  return {
    leftMs: () => endsAtMs - monotonicMs(),
    noTurn({ attemptLog }) {
      const last = attemptLog.at(-1)?.code ?? 'none';
      return outOfTime(errorMessage('no_turn', { patience: formatDuration(patienceMs), last }));
    },
    tooLate: (failure, retryAfterMs) => ({ ...failure, retryAfterMs }),
  };
}

/**
 * All files together wait as long as anything succeeds: so long after the last success, or after the beginning, it is over.
 * @param means.isMoving whether the bytes of an upload move: a large file that takes its time is no failure
 */
export function patienceOfAll(
  giveUpMs: number,
  means: {
    readonly monotonicMs: () => number;
    readonly lastSuccessAgoMs: () => number | null;
    readonly isMoving: () => boolean;
  },
): Patience {
  const { monotonicMs, lastSuccessAgoMs, isMoving } = means;
  const startedAtMs = monotonicMs();
  const most = formatDuration(giveUpMs);
  return {
    leftMs() {
      const idleMs = Math.min(lastSuccessAgoMs() ?? Number.POSITIVE_INFINITY, monotonicMs() - startedAtMs);
      const leftMs = giveUpMs - idleMs;
      return isMoving() ? Math.max(LOOK_AGAIN_MS, leftMs) : leftMs;
    },
    noTurn: (_job, last) =>
      outOfTime(errorMessage('gave_up', { giveUp: most, last: last?.message ?? 'none' })),
    tooLate: (failure, waitMs) => ({
      ...failure,
      message: `${failure.message}; the next try would be in ${formatDuration(waitMs)}, and --give-up is ${most}: try again then, or give a longer one`,
    }),
  };
}

/** While an upload is under way it is looked again so soon whether it moves. */
const LOOK_AGAIN_MS = 1_000;

/** Waits for a turn no longer than the patience lasts. */
export async function inPatience<T>(
  { leftMs }: Pick<Patience, 'leftMs'>,
  signal: AbortSignal,
  work: (turn: AbortSignal) => Promise<T>,
): Promise<T> {
  if (leftMs() === Number.POSITIVE_INFINITY) return await work(signal);
  const over = new AbortController();
  let timer: NodeJS.Timeout;
  const look = (): void => {
    const left = leftMs();
    if (left <= 0) over.abort();
    else timer = setTimeout(look, Math.min(LONGEST_TIMER_MS, left));
  };
  timer = setTimeout(look, Math.max(0, Math.min(LONGEST_TIMER_MS, leftMs())));
  try {
    return await work(AbortSignal.any([signal, over.signal]));
  } finally {
    clearTimeout(timer);
  }
}

function outOfTime(message: string): UploadFailure {
  return { kind: 'unavailable', code: 'no_turn', message, httpStatus: null, retryAfterMs: null };
}

/** A person waits: a token service that refuses connections is not waited for as a daemon would. */
const TOKEN_SERVICE_TRIES = 3;

export function triedTokenEnough({ attemptLog }: UploadJob): boolean {
  return attemptLog.filter(({ code }) => code === 'token_service_unreachable').length >= TOKEN_SERVICE_TRIES;
}
