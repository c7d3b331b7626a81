import { boundedRemote, type Receipt } from '../../domain/receipt.ts';
import { intactLine } from './line-sum.ts';

/** A receipt has no reason to be longer; a worker that sends more loses the API's own answer, not the receipt. */
const MAX_LINE_CHARS = 64 * 1024;

/** One receipt as one JSON line without its newline; keys in the documented order (contract §9). */
export function encodeReceipt(receipt: Receipt): string {
  const line = JSON.stringify(inOrder(receipt, receipt.remote));
  return line.length <= MAX_LINE_CHARS
    ? line
    : JSON.stringify(inOrder(receipt, boundedRemote(receipt.remote)));
}

/**
 * Reads one line. Keys this version does not know stay on the object, so that a reader still sees them.
 * @returns null when it is not a receipt of a version this one knows, or its sum is not that of its content
 */
export function decodeReceipt(line: string): Receipt | null {
  const intact = intactLine(line);
  const value = intact === null ? null : parsed(intact);
  return isReceipt(value) ? value : null;
}

function inOrder(receipt: Receipt, remote: unknown): Record<keyof Receipt, unknown> {
  return {
    v: 1,
    id: receipt.id,
    source: receipt.source,
    path: receipt.path,
    // JSON leaves out what is undefined: only names that are not UTF-8 carry it.
    pathBytes: receipt.pathBytes,
    gen: receipt.gen,
    status: receipt.status,
    destination: receipt.destination,
    url: receipt.url,
    fileId: receipt.fileId,
    ref: receipt.ref,
    bytes: receipt.bytes,
    sha256: receipt.sha256,
    contentType: receipt.contentType,
    mtime: receipt.mtime,
    mtimeNs: receipt.mtimeNs,
    expiresAt: receipt.expiresAt,
    attempts: receipt.attempts,
    queuedAt: receipt.queuedAt,
    uploadedAt: receipt.uploadedAt,
    recordedAt: receipt.recordedAt,
    durationMs: receipt.durationMs,
    batch: receipt.batch,
    remote: remote === undefined ? null : remote,
    error: receipt.error,
    // As `pathBytes`: only where there is something to say.
    reusedFrom: receipt.reusedFrom,
    sentName: receipt.sentName,
    meta: receipt.meta,
    seenMs: receipt.seenMs,
    settledMs: receipt.settledMs,
    attemptLog: receipt.attemptLog,
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** The keys that the ledger and every reader rest on. */
function isReceipt(value: unknown): value is Receipt {
  if (typeof value !== 'object' || value === null) return false;
  const receipt = value as Partial<Receipt>;
  return (
    receipt.v === 1 &&
    typeof receipt.id === 'string' &&
    typeof receipt.path === 'string' &&
    (receipt.pathBytes === undefined || typeof receipt.pathBytes === 'string') &&
    Number.isSafeInteger(receipt.gen) &&
    (receipt.status === 'uploaded' || receipt.status === 'failed' || receipt.status === 'skipped') &&
    typeof receipt.queuedAt === 'string'
  );
}
