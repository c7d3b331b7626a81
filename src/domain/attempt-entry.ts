import type { UploadErrorKind } from './errors.ts';

/** One failed try, kept with the job so that any worker knows the history, and with its receipt. Nothing secret. */
export interface AttemptEntry {
  /** ISO time the attempt ended. */
  readonly at: string;
  readonly code: string;
  readonly kind: UploadErrorKind;
  readonly httpStatus: number | null;
  /** Whether it used up one of `retry.attempts` (G6), or ended the job by itself. */
  readonly counted: boolean;
  /** False for a 429, a refused token and what ended before anything was sent: no HTTP upload. Absent: it was one. */
  readonly attempted?: false;
}

/** Most attempt entries that are kept of a file; the oldest uncounted ones go first. */
export const MAX_ATTEMPT_ENTRIES = 16;
