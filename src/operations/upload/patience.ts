import type { UploadFailure } from '../../domain/attempt.ts';
import { errorMessage } from '../../domain/errors.ts';
import type { UploadJob } from '../../domain/upload-job.ts';
import { formatDuration } from '../../platform/units.ts';

/** Waits for a turn no longer than the patience lasts. */
export async function inPatience<T>(
  leftMs: number,
  signal: AbortSignal,
  work: (turn: AbortSignal) => Promise<T>,
): Promise<T> {
  if (leftMs === Number.POSITIVE_INFINITY) return await work(signal);
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), Math.max(0, leftMs));
  try {
    return await work(AbortSignal.any([signal, over.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** It got no turn in time. */
export function noTurn({ attemptLog }: UploadJob, patienceMs: number): UploadFailure {
  const last = attemptLog.at(-1);
  const message = errorMessage('no_turn', {
    patience: formatDuration(patienceMs),
    last: last?.code ?? 'none',
  });
  return { kind: 'unavailable', code: 'no_turn', message, httpStatus: null, retryAfterMs: null };
}
