import type { AttemptEntry } from './attempt-entry.ts';
import type { PathName } from './path-bytes.ts';
import type { ReceiptSight } from './sight.ts';

export type ReceiptStatus = 'uploaded' | 'failed' | 'skipped';

/**
 * Why a file was skipped (contract §9). `existing`: it lay there at the first start of its source. `excluded`: it was
 * queued, and the rules of its source leave it out since.
 */
export type SkipCode = 'too_large' | 'empty' | 'type' | 'vanished' | 'changed' | 'existing' | 'excluded';

export interface ReceiptError {
  readonly code: string;
  readonly kind: string;
  readonly message: string;
  readonly httpStatus: number | null;
  /** ISO time. */
  readonly at: string;
}

/** What a worker returns for one (id, gen): a receipt that has not been recorded yet. */
export interface Outcome extends PathName, ReceiptSight {
  readonly v: 1;
  readonly id: string;
  readonly source: string;
  readonly gen: number;
  readonly status: ReceiptStatus;
  readonly destination: string;
  readonly url: string | null;
  readonly fileId: string | null;
  /** How downstream cites the file: `https://…` or `fileid://…`. */
  readonly ref: string | null;
  /** Of the bytes actually sent (G2); for failed and skipped, the size on disk. */
  readonly bytes: number;
  /** Hex, of the bytes actually sent; null unless uploaded. */
  readonly sha256: string | null;
  readonly contentType: string | null;
  readonly mtime: string;
  readonly mtimeNs: string;
  readonly expiresAt: string | null;
  /** HTTP uploads made for this (id, gen), the last one included; refused tokens and 429s are none (G6). */
  readonly attempts: number;
  readonly queuedAt: string;
  readonly uploadedAt: string | null;
  /** Of the attempt that succeeded. */
  readonly durationMs: number | null;
  readonly batch: string | null;
  /** The API's own answer, secrets removed, at most 8 KiB of JSON. */
  readonly remote: unknown;
  readonly error: ReceiptError | null;
  /** File version whose upload stands for this one: nothing was sent. Present only then. */
  readonly reusedFrom?: string;
  /** The name that the destination was given. Present only where it is not the file's. */
  readonly sentName?: string;
  /** What the user attached to the file (correlation ids). Present only where there is some. */
  readonly meta?: Readonly<Record<string, string>>;
  /** Its failed tries, the one that ended it included; the oldest of many are left out. Present only where there were some. */
  readonly attemptLog?: readonly AttemptEntry[];
}

/** The outcome of one (id, gen) once the recorder has made it durable. */
export interface Receipt extends Outcome {
  readonly recordedAt: string;
}

/** `a.pdf.receipt.json` is the receipt of `a.pdf`, beside it (`sidecar: true`). */
export const RECEIPT_SUFFIX = '.receipt.json';

/** Whether a file's content is a receipt that Slipway wrote, whatever the file is called. */
export function isReceiptText(text: string): boolean {
  let value: Partial<Receipt> | null;
  try {
    value = JSON.parse(text) as Partial<Receipt> | null;
  } catch {
    return false;
  }
  if (typeof value !== 'object' || value === null) return false;
  const { v, id, gen, path, status, recordedAt } = value;
  const texts = [path, status, recordedAt].every((part) => typeof part === 'string');
  return v === 1 && typeof id === 'string' && RECEIPT_ID.test(id) && Number.isSafeInteger(gen) && texts;
}

/** Whether a text begins as a manifest of Slipway does, of a source or of a batch. */
export function isManifestText(head: string): boolean {
  return MANIFEST_HEAD.test(head.slice(0, 4_096));
}

/** `{"v":1,` … `"counts":{"uploaded":` … (contract §9): nothing else is nested before the counts. */
const MANIFEST_HEAD =
  /^\{"v":1,("\w+":("[^"]*"|[\d.]+|null|true|false),){1,12}"counts":\{[^{}]*"uploaded":\d/;

const RECEIPT_ID = /^f[0-9a-f]{32}$/;

/** Above this many bytes of JSON the API's answer is replaced by `{"truncated":true}` (contract §2). */
export const MAX_REMOTE_BYTES = 8 * 1024;

/** JSON that was read from so many characters never writes longer than so many bytes each (`4E20`, control characters). */
const MOST_GROWTH = 7;

/**
 * Bounds `remote`.
 * @param readFromChars length of the JSON text it was read from, where it is known: a short one needs no measuring
 */
export function boundedRemote(remote: unknown, readFromChars = Number.POSITIVE_INFINITY): unknown {
  if (remote === undefined) return null;
  if (readFromChars * MOST_GROWTH <= MAX_REMOTE_BYTES) return remote;
  return Buffer.byteLength(JSON.stringify(remote)) <= MAX_REMOTE_BYTES ? remote : { truncated: true };
}
