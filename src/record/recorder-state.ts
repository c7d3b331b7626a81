import { type ErrorCode, SlipwayError } from '../domain/errors.ts';

/**
 * - `recording`: receipts become durable as jobs finish. To `paused`, `halted`, `stopped`.
 * - `paused`: this machine cannot keep receipts now (disk full, write errors). Jobs keep their results; tried again
 *   until it works. Uploads should pause too. To `recording`, `halted`, `stopped`.
 * - `halted`: somebody has to decide (the journal was changed by something else). Nothing is lost. To `stopped`.
 * - `stopped`: the end.
 */
export type RecorderState =
  | { readonly kind: 'recording' }
  | { readonly kind: 'paused'; readonly error: SlipwayError; readonly sinceMs: number }
  | { readonly kind: 'halted'; readonly error: SlipwayError }
  | { readonly kind: 'stopped' };

export interface RecorderTiming {
  /** Looks for finished jobs this often even when nobody wakes it: events get lost. */
  readonly pollMs: number;
  /** Least time between the starts of two small batches, stretched under load: one fsync then serves many receipts. */
  readonly spacingMs: number;
  /** First wait after an error; doubles. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
}

/** A Redis that is back is used within a second; a full disk is tried every few. */
export const RECORDER_TIMING: RecorderTiming = {
  pollMs: 1_000,
  spacingMs: 20,
  retryMs: 250,
  maxRetryMs: 4_000,
};

const STORAGE_CODES: ReadonlySet<ErrorCode> = new Set([
  'disk_full',
  'journal_unwritable',
  'journal_changed',
  'journal_corrupt',
  'ledger_unwritable',
]);

/** Redis comes and goes and is simply tried again (null); what this machine cannot write is said, and stops uploads. */
export function storageTrouble(error: unknown): SlipwayError | null {
  return error instanceof SlipwayError && STORAGE_CODES.has(error.code) ? error : null;
}
