import type { Outcome } from '../domain/receipt.ts';

export interface FinishedJob {
  readonly jobId: string;
  readonly outcome: Outcome;
}

/** Where the recorder finds results: the finished jobs of one source's queue (contract §4). Both may fail with Redis. */
export interface FinishedJobs {
  /** The oldest finished jobs, at most `max`; they stay until removed. */
  take(max: number): Promise<readonly FinishedJob[]>;
  /** Frees the ids of recorded jobs; an id that is gone already is no error. */
  remove(jobIds: readonly string[]): Promise<void>;
}
