import { type FileVersion, fileVersionId, isoOfNs } from '../domain/file-version.ts';
import type { Outcome, Receipt } from '../domain/receipt.ts';
import type { Ruling } from './ruling.ts';

/** The receipt-to-be of a version that gets one without a job. */
export function refusedOutcome(
  version: FileVersion,
  ruling: Extract<Ruling, { kind: 'skip' | 'fail' }>,
  nowMs: number,
): Outcome {
  const { kind, gen, code, message } = ruling;
  const at = new Date(nowMs).toISOString();
  return {
    ...emptyOutcome(version, gen, at),
    status: kind === 'skip' ? 'skipped' : 'failed',
    error: { code, kind: kind === 'skip' ? 'skipped' : 'local', message, httpStatus: null, at },
  };
}

/**
 * The receipt-to-be of a version for which an earlier upload stands: nothing is sent.
 * @param upload receipt of that upload, or of another version for which it stands
 */
export function reusedOutcome(version: FileVersion, gen: number, upload: Receipt, nowMs: number): Outcome {
  const { url, fileId, ref, sha256, contentType, expiresAt, remote } = upload;
  const at = new Date(nowMs).toISOString();
  return {
    ...emptyOutcome(version, gen, at),
    status: 'uploaded',
    url,
    fileId,
    ref,
    sha256,
    contentType,
    expiresAt,
    // From when on it could be used under this name; the upload itself has a receipt of its own.
    uploadedAt: at,
    remote,
    reusedFrom: upload.reusedFrom ?? upload.id,
  };
}

function emptyOutcome(version: FileVersion, gen: number, at: string): Omit<Outcome, 'status'> {
  const { source, destination, path, pathBytes, size, mtimeNs } = version;
  return {
    v: 1,
    id: fileVersionId(version),
    source,
    path,
    ...(pathBytes === undefined ? {} : { pathBytes }),
    gen,
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
    batch: null,
    remote: null,
    error: null,
  };
}
