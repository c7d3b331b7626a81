import type { ErrorKind } from './errors.ts';
import { type FileVersion, fileVersionId, isoOfNs } from './file-version.ts';
import type { Outcome } from './receipt.ts';

/** Why a version ends without an upload. */
export interface UnsentReason {
  readonly status: 'failed' | 'skipped';
  readonly code: string;
  readonly kind: ErrorKind | 'skipped';
  readonly message: string;
}

/** The outcome of a version that is never sent. */
export function unsentOutcome(
  version: FileVersion,
  reason: UnsentReason,
  facts: { readonly gen: number; readonly batch: string | null; readonly nowMs: number },
): Outcome {
  const { source, destination, path, pathBytes, size, mtimeNs } = version;
  const { status, code, kind, message } = reason;
  const at = new Date(facts.nowMs).toISOString();
  return {
    v: 1,
    id: fileVersionId(version),
    source,
    path,
    ...(pathBytes === undefined ? {} : { pathBytes }),
    gen: facts.gen,
    status,
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
    queuedAt: at,
    uploadedAt: null,
    durationMs: null,
    batch: facts.batch,
    remote: null,
    error: { code, kind, message, httpStatus: null, at },
  };
}
