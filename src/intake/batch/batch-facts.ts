import type { BatchSource } from '../../ledger/store/batch-spec.ts';
import type { BatchProgress } from './batch-runner.ts';

/** What a run has to know of batches. */
export interface BatchRunOptions {
  /** `spool.maxBytes`; left out where no archive can come. */
  readonly spoolMaxBytes?: number;
  /** What is sent of these sources, and then no more; without one a source is watched. */
  readonly batches?: readonly BatchSource[];
}

/** What a run tells of batches. */
export interface BatchView {
  /** How far a batch is, by source; sources that do not know it are left out. */
  batch(id: string): BatchProgress[];
}
