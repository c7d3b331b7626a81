import type { Outcome } from './receipt.ts';
import type { UploadJob } from './upload-job.ts';

/** One job as whoever uploads it sees it. */
export interface QueuedUpload {
  readonly jobId: string;
  readonly job: UploadJob;
  readonly queuedAtMs: number;
  /** How often a worker died, or lost its lock, while it held this job. */
  readonly stalledCount: number;
  /** Ends the wait for its turn, and nothing else. */
  readonly turn?: AbortSignal;
  /** It goes before those of its source that are not; left out: not. */
  readonly first?: boolean;
  /**
   * Asked right before it is sent, where it has waited: whether the job is still this worker's (rule lockCheck). Left
   * out: it always is.
   */
  readonly isOurs?: () => Promise<boolean>;
}

/** What becomes of a job after one go. */
export type UploadStep =
  | { readonly kind: 'settle'; readonly outcome: Outcome }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly job: UploadJob }
  | { readonly kind: 'give-back'; readonly delayMs: number };

/** Where the queue and the upload meet: the queue calls it for every job, and does what it says. */
export type UploadHandler = (upload: QueuedUpload, signal: AbortSignal) => Promise<UploadStep>;
