import type { Outcome } from './receipt.ts';
import type { UploadJob } from './upload-job.ts';

/** One job as whoever uploads it sees it. */
export interface QueuedUpload {
  readonly jobId: string;
  readonly job: UploadJob;
  readonly queuedAtMs: number;
  /** How often a worker died, or lost its lock, while it held this job. */
  readonly stalledCount: number;
}

/** What becomes of a job after one go. */
export type UploadStep =
  | { readonly kind: 'settle'; readonly outcome: Outcome }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly job: UploadJob }
  | { readonly kind: 'give-back'; readonly delayMs: number };

/** Where the queue and the upload meet: the queue calls it for every job, and does what it says. */
export type UploadHandler = (upload: QueuedUpload, signal: AbortSignal) => Promise<UploadStep>;
