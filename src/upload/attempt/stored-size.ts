import type { UploadFailure } from '../../domain/attempt.ts';
import { ERRORS, errorMessage } from '../../domain/errors.ts';

/**
 * What is wrong where the far side has stored another number of bytes than was sent (`answer.bytes`).
 * @param stored null or left out: it does not say
 * @returns null: nothing is wrong
 */
export function sizeMismatch(
  stored: number | null | undefined,
  sent: number,
  httpStatus: number,
): UploadFailure | null {
  if (stored === null || stored === undefined || stored === sent) return null;
  const code = 'size_mismatch';
  const message = errorMessage(code, { stored, sent });
  return { kind: ERRORS[code].kind, code, message, httpStatus, retryAfterMs: null };
}
