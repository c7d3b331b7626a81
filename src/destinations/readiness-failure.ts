import type { UploadFailure } from '../domain/attempt.ts';
import { errorMessage } from '../domain/errors.ts';
import type { Answer, Verdict } from './destination.ts';

/** What an answer to a look means that is no file object, once the credentials are not to blame. */
export function readinessFailure(verdict: Verdict, answer: Answer): UploadFailure {
  return verdict.kind === 'uploaded' ? unknownState(answer.status) : lookFailure(verdict.failure);
}

/**
 * A look at an accepted file refuses no file, and a wrong address of looks stops no upload: only what concerns the
 * account does. A 404 may be a store that has not caught up with itself; the deadline tells.
 */
function lookFailure(failure: UploadFailure): UploadFailure {
  if (failure.httpStatus === 404) return { ...failure, kind: 'unavailable', code: 'file_unknown' };
  const stops = failure.httpStatus === 403 || failure.kind === 'exhausted';
  return failure.kind === 'rejected' || (failure.kind === 'misconfigured' && !stops)
    ? { ...failure, kind: 'unavailable' }
    : failure;
}

/** JSON that passes for a success and yet is no object. */
function unknownState(status: number): UploadFailure {
  const message = errorMessage('bad_answer', { detail: `HTTP ${status}, no file object` });
  return { kind: 'unavailable', code: 'bad_answer', message, httpStatus: status, retryAfterMs: null };
}
