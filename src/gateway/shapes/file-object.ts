import type { Receipt } from '../../domain/receipt.ts';
import type { AcceptedFile } from '../../operations/receive/acceptance.ts';
import { isObject } from './far-answer.ts';
import type { FileObject, UploadEnd } from './shape.ts';

/**
 * The file object of an upload that was accepted: what the far side says of it where it speaks of file objects, the
 * rest from the receipt.
 * @param id whose id it carries
 */
export function fileObject(end: UploadEnd, id: string): FileObject {
  const { receipt } = end.result;
  const far = farObject(receipt.remote, receipt.fileId) ?? {};
  const text = (key: string): string | null => (typeof far[key] === 'string' ? far[key] : null);
  const createdAt = far.created_at;
  const uploadedMs = receipt.uploadedAt === null ? end.nowMs : Date.parse(receipt.uploadedAt);
  return {
    id,
    object: 'file',
    bytes: receipt.bytes,
    created_at: typeof createdAt === 'number' ? createdAt : Math.floor(uploadedMs / 1000),
    // The far side may know it escaped, as forms carry quotes.
    filename: end.filename,
    purpose: text('purpose') ?? end.purpose,
    status: text('status') ?? 'processed',
    status_details: far.status_details ?? null,
  };
}

/** The file object of a receipt, under the door's own id. */
export function receiptObject(receipt: Receipt, id: string): FileObject {
  const isUploaded = receipt.status === 'uploaded';
  return {
    id,
    object: 'file',
    bytes: receipt.bytes,
    created_at: Math.floor(Date.parse(receipt.uploadedAt ?? receipt.recordedAt) / 1000),
    filename: receipt.path.slice(receipt.path.indexOf('/') + 1),
    purpose: receipt.meta?.purpose ?? '',
    status: isUploaded ? 'processed' : 'error',
    status_details: receipt.error?.message ?? null,
    url: receipt.url,
    ref: receipt.ref,
    sha256: receipt.sha256,
    remote_id: receipt.fileId,
  };
}

/** The file object of a file that waits to be sent, under the door's own id. */
export function waitingObject(file: AcceptedFile): FileObject {
  return {
    id: file.id,
    object: 'file',
    bytes: file.size,
    created_at: Math.floor(file.acceptedAtMs / 1000),
    filename: file.name,
    purpose: file.meta.purpose ?? '',
    status: 'uploaded',
    status_details: null,
    url: null,
    ref: null,
    sha256: file.sha256,
    remote_id: null,
  };
}

/** What the far side said of the file beyond those, such as `expires_at`. */
export function moreOf(end: UploadEnd): Readonly<Record<string, unknown>> {
  const { receipt } = end.result;
  const far = farObject(receipt.remote, receipt.fileId);
  return far?.object === 'file' ? far : {};
}

/** The object of an answer that has the file's id: at its top, or one level below. */
function farObject(remote: unknown, fileId: string | null): Readonly<Record<string, unknown>> | null {
  if (!isObject(remote) || fileId === null) return null;
  const candidates = [remote, ...Object.values(remote).filter(isObject)];
  return candidates.find(({ id }) => String(id) === fileId) ?? null;
}
