import { newUploadJob } from '../../domain/upload-job.ts';
import type { UploadCandidate } from '../admit/in-flight.ts';
import type { AdmittedJob } from '../ports.ts';

/** A file of an archive that is to be sent, unless another upload stands for it; it lies in the spool. */
export interface EntryCandidate
  extends Pick<UploadCandidate, 'jobId' | 'id' | 'version' | 'sight' | 'ruling'> {
  /** Hex, of its bytes; null: not known, so it is compared with nothing. */
  readonly sha256: string | null;
}

export function isEntry(need: UploadCandidate | EntryCandidate): need is EntryCandidate {
  return 'sha256' in need;
}

/** The job of a member of a batch. */
export function batchJobOf(need: UploadCandidate | EntryCandidate, batch: string): AdmittedJob {
  const { jobId, id, version, sight, ruling } = need;
  const job = newUploadJob(version, ruling.gen, batch, { sight });
  return { jobId, id, job: isEntry(need) ? { ...job, spooled: true } : job };
}
