import { SlipwayError } from '../domain/errors.ts';
import { fileVersionId, isoOfNs } from '../domain/file-version.ts';
import type { Outcome } from '../domain/receipt.ts';
import { receiptSight } from '../domain/sight.ts';
import { failedAttempts, type UploadJob } from '../domain/upload-job.ts';

/** A job as BullMQ keeps it. Throws SlipwayError `internal` on a layout this version does not know. */
export function decodeJob(data: unknown): UploadJob {
  const job = data as Partial<UploadJob> | null;
  const known =
    typeof job === 'object' &&
    job !== null &&
    job.v === 1 &&
    typeof job.path === 'string' &&
    typeof job.source === 'string' &&
    typeof job.size === 'number' &&
    typeof job.mtimeNs === 'string' &&
    typeof job.gen === 'number' &&
    Array.isArray(job.attemptLog);
  if (!known)
    throw new SlipwayError('internal', { reason: 'a job in Redis has a layout this version does not know' });
  return job as UploadJob;
}

/** A return value of a finished job. Throws SlipwayError `internal` when it is no outcome. */
export function decodeOutcome(text: string): Outcome {
  const outcome = JSON.parse(text) as Partial<Outcome> | null;
  const known =
    typeof outcome === 'object' &&
    outcome !== null &&
    outcome.v === 1 &&
    typeof outcome.id === 'string' &&
    typeof outcome.gen === 'number' &&
    typeof outcome.status === 'string';
  if (!known)
    throw new SlipwayError('internal', {
      reason: 'a finished job returned something that is not an outcome',
    });
  return outcome as Outcome;
}

/**
 * The outcome of a job that BullMQ failed without our processor's word: a crash or a defect, never silent.
 * @param options.id of the file version that it was made for; null: the one that its source has now
 */
export function outcomeOfFailedJob(
  job: UploadJob,
  options: { id: string | null; destination: string; reason: string; queuedAtMs: number; nowMs: number },
): Outcome {
  const { path, pathBytes, source, gen, batch, mtimeNs, attemptLog } = job;
  const name = pathBytes === undefined ? { path } : { path, pathBytes };
  const at = new Date(options.nowMs).toISOString();
  return {
    v: 1,
    id: options.id ?? fileVersionId({ ...job, destination: options.destination }),
    source,
    ...name,
    gen,
    status: 'failed',
    destination: job.destination ?? options.destination,
    url: null,
    fileId: null,
    ref: null,
    bytes: job.size,
    sha256: null,
    contentType: null,
    mtime: isoOfNs(mtimeNs),
    mtimeNs,
    expiresAt: null,
    attempts: failedAttempts(job),
    queuedAt: new Date(options.queuedAtMs).toISOString(),
    uploadedAt: null,
    durationMs: null,
    batch,
    remote: null,
    error: {
      code: 'internal',
      kind: 'internal',
      message: `unexpected: ${options.reason}`,
      httpStatus: null,
      at,
    },
    ...receiptSight(job, options.queuedAtMs),
    ...(attemptLog.length === 0 ? {} : { attemptLog }),
  };
}
