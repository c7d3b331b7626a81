import type { UploadedResult } from '../../domain/attempt.ts';
import type { AttemptEntry } from '../../domain/attempt-entry.ts';
import { isoOfNs } from '../../domain/file-version.ts';
import type { Outcome, ReceiptError } from '../../domain/receipt.ts';
import { receiptSight } from '../../domain/sight.ts';
import type { UploadJob } from '../../domain/upload-job.ts';
import type { JobEnd } from './job-end.ts';

export interface OutcomeFacts {
  /** Id of the file version, for that destination. */
  readonly id: string;
  /** Name of the destination. */
  readonly destination: string;
  /** Uploads put on the wire for this job. */
  readonly attempts: number;
  /** Failed tries, the one that ended the job included. */
  readonly attemptLog: readonly AttemptEntry[];
  readonly queuedAtMs: number;
  /** When it settled, milliseconds since the epoch. */
  readonly nowMs: number;
}

/** The receipt-to-be of a job that has settled. */
export function outcomeOf(job: UploadJob, jobEnd: JobEnd, options: OutcomeFacts): Outcome {
  const { id, destination, attempts, attemptLog, queuedAtMs, nowMs } = options;
  const result = jobEnd.status === 'uploaded' ? jobEnd.result : null;
  const accepted = result?.accepted ?? null;
  return {
    v: 1,
    id,
    source: job.source,
    path: job.path,
    ...(job.pathBytes === undefined ? {} : { pathBytes: job.pathBytes }),
    gen: job.gen,
    status: jobEnd.status,
    destination,
    url: accepted?.url ?? null,
    fileId: accepted?.fileId ?? null,
    ref: accepted?.ref ?? null,
    bytes: result?.bytes ?? job.size,
    sha256: result?.sha256 ?? null,
    contentType: result?.contentType ?? null,
    mtime: isoOfNs(job.mtimeNs),
    mtimeNs: job.mtimeNs,
    expiresAt: accepted?.expiresAt ?? null,
    attempts,
    queuedAt: new Date(queuedAtMs).toISOString(),
    uploadedAt: result?.uploadedAt ?? null,
    durationMs: result?.durationMs ?? null,
    batch: job.batch,
    remote: accepted?.remote ?? null,
    error: errorOf(jobEnd, nowMs),
    ...sentNameOf(result, job.path),
    ...receiptSight(job, queuedAtMs),
    ...(attemptLog.length === 0 ? {} : { attemptLog }),
  };
}

function sentNameOf(result: UploadedResult | null, path: string): Pick<Outcome, 'sentName'> {
  const sentName = result?.sentName;
  const isOther = sentName !== undefined && sentName !== path.slice(path.lastIndexOf('/') + 1);
  return isOther ? { sentName } : {};
}

function errorOf(jobEnd: JobEnd, nowMs: number): ReceiptError | null {
  if (jobEnd.status === 'uploaded') return null;
  const { code, message } = jobEnd;
  const at = new Date(nowMs).toISOString();
  if (jobEnd.status === 'skipped') return { code, kind: 'skipped', message, httpStatus: null, at };
  return { code, kind: jobEnd.kind, message, httpStatus: jobEnd.httpStatus, at };
}
