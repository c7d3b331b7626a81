import type { UploadErrorKind } from './errors.ts';
import type { SkipCode } from './receipt.ts';

/** Why an attempt did not succeed. `message` is one line without secrets. */
export interface UploadFailure {
  readonly kind: UploadErrorKind;
  readonly code: string;
  readonly message: string;
  readonly httpStatus: number | null;
  /** What the far side asked for (Retry-After, retry-after-ms), else null. */
  readonly retryAfterMs: number | null;
}

/** What the far side's answer means, once it is a success. */
export interface AcceptedFile {
  readonly url: string | null;
  readonly fileId: string | null;
  readonly ref: string | null;
  readonly expiresAt: string | null;
  /** The API's own answer, secrets removed, at most 8 KiB of JSON. */
  readonly remote: unknown;
}

/**
 * How one attempt ended.
 * - `uploaded`: accepted; ends the job.
 * - `skipped`: this version will never be sent (limits of the destination; it vanished; it changed); ends the job.
 * - `unreadable`: this machine cannot read it; ends the job as failed.
 * - `failed`: the far side, the token service or the network said no; `kind` says what follows.
 * - `aborted`: the caller's signal fired; the job goes back untouched.
 *
 * `requests`: uploads put on the wire by this attempt. 0 when it ended before, 2 when mended credentials were tried again.
 */
export type AttemptResult =
  | {
      readonly kind: 'uploaded';
      readonly accepted: AcceptedFile;
      readonly bytes: number;
      readonly sha256: string;
      readonly contentType: string;
      readonly uploadedAt: string;
      readonly durationMs: number;
      /** The name that the far side was given. */
      readonly sentName?: string;
      readonly requests: number;
    }
  | { readonly kind: 'skipped'; readonly code: SkipCode; readonly message: string; readonly requests: number }
  | {
      readonly kind: 'unreadable';
      readonly code: 'file_unreadable' | 'file_unsized';
      readonly message: string;
      readonly requests: number;
    }
  | { readonly kind: 'failed'; readonly failure: UploadFailure; readonly requests: number }
  | { readonly kind: 'aborted' };

/** An attempt that was accepted. */
export type UploadedResult = Extract<AttemptResult, { kind: 'uploaded' }>;

/**
 * Whether it counts as an attempt: one HTTP upload, however often it was sent to mend credentials or the clock. A 429
 * and a refused token are none (G6), nor is what never reached the wire.
 */
export function isAttempt(result: AttemptResult): boolean {
  if (result.kind === 'aborted' || result.requests === 0) return false;
  if (result.kind !== 'failed') return true;
  const { kind, code } = result.failure;
  // `token_…`: the token service failed, or the credentials did; the file was not looked at.
  return kind !== 'throttled' && kind !== 'unauthenticated' && !code.startsWith('token_');
}
