import type { ErrorKind } from './errors.ts';
import { type FileVersion, fileVersionId, isoOfNs } from './file-version.ts';
import type { Outcome } from './receipt.ts';
import { receiptSight, type SeenTimes } from './sight.ts';

/** Why a version ends without an upload. */
export interface UnsentReason {
  readonly status: 'failed' | 'skipped';
  readonly code: string;
  readonly kind: ErrorKind | 'skipped';
  readonly message: string;
}

export interface UnsentFacts {
  readonly gen: number;
  readonly batch: string | null;
  readonly sight: SeenTimes;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** What belongs to the outcome of a version whatever its end; nothing of an upload. */
export function emptyOutcome(version: FileVersion, options: UnsentFacts): Omit<Outcome, 'status'> {
  const { source, destination, path, pathBytes, size, mtimeNs } = version;
  return {
    v: 1,
    id: fileVersionId(version),
    source,
    path,
    ...(pathBytes === undefined ? {} : { pathBytes }),
    gen: options.gen,
    destination,
    url: null,
    fileId: null,
    ref: null,
    bytes: size,
    sha256: null,
    contentType: null,
    mtime: isoOfNs(mtimeNs),
    mtimeNs,
    expiresAt: null,
    attempts: 0,
    queuedAt: new Date(options.nowMs).toISOString(),
    uploadedAt: null,
    durationMs: null,
    batch: options.batch,
    remote: null,
    error: null,
    ...receiptSight(options.sight, options.nowMs),
  };
}

/** The outcome of a version that is never sent. */
export function unsentOutcome(version: FileVersion, reason: UnsentReason, facts: UnsentFacts): Outcome {
  const { status, ...error } = reason;
  const at = new Date(facts.nowMs).toISOString();
  return { ...emptyOutcome(version, facts), status, error: { ...error, httpStatus: null, at } };
}
