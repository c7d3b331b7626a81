import { fileVersionId } from '../../src/domain/file-version.ts';
import type { Outcome } from '../../src/domain/receipt.ts';
import { jobIdOf, newUploadJob, type UploadJob } from '../../src/domain/upload-job.ts';

/** A job for a file that need not exist, with its ids. */
export function jobFor(path: string, destination = 'dest'): { id: string; jobId: string; job: UploadJob } {
  const version = { source: 'inbox', destination, path, size: 10, mtimeNs: '1795309323004000000' };
  const id = fileVersionId(version);
  return { id, jobId: jobIdOf(id, 0), job: newUploadJob(version, 0, null) };
}

/** An accepted outcome for such a job. */
export function uploadedOutcome(path: string, destination = 'dest', gen = 0): Outcome {
  return {
    v: 1,
    id: jobFor(path, destination).id,
    source: 'inbox',
    path,
    gen,
    status: 'uploaded',
    destination,
    url: `https://files.example/${encodeURIComponent(path)}`,
    fileId: `id-${path}`,
    ref: `https://files.example/${encodeURIComponent(path)}`,
    bytes: 10,
    sha256: '0'.repeat(64),
    contentType: 'text/plain',
    mtime: '2026-11-22T01:02:03.004Z',
    mtimeNs: '1795309323004000000',
    expiresAt: null,
    attempts: 1,
    queuedAt: '2026-11-22T01:02:04.000Z',
    uploadedAt: '2026-11-22T01:02:05.000Z',
    durationMs: 12,
    batch: null,
    remote: { code: 0 },
    error: null,
  };
}
