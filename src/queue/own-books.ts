import type { Outcome } from '../domain/receipt.ts';
import type { UploadStep } from '../domain/upload-step.ts';
import type { CarriedFile } from './carrier.ts';
import type { KeptResults } from './kept-results.ts';

/**
 * How a go at one file ended in the owner's process.
 * - `recorded`: its outcome is durable
 * - `single`: it is a job of its own by now
 * - `step`: it is to come back; whoever holds its job sees to that
 */
export type FileEnd =
  | { readonly kind: 'recorded' }
  | { readonly kind: 'single' }
  | { readonly kind: 'step'; readonly step: Exclude<UploadStep, { kind: 'settle' }> };

/** Milliseconds. `queuedAtMs` is when its carrier was queued, since the epoch: the file has waited since then. */
export interface SingleTimes {
  readonly delayMs: number;
  readonly queuedAtMs: number;
}

/**
 * Hands an outcome over; one that cannot be recorded any more (journal gone, disk full, the process ends) is left beside its
 * job in Redis, where the next run of the job finds it instead of sending the file again. Rejects as `handOver` does.
 */
export async function handOverOrShare(
  own: Pick<OwnBooks, 'handOver'>,
  results: Pick<KeptResults, 'share'>,
  jobId: string,
  outcome: Outcome,
): Promise<void> {
  try {
    await own.handOver(outcome);
  } catch (error) {
    await results.share(jobId, outcome);
    throw error;
  }
}

/** What the owner of a source knows, for the workers of its own process: what it knows is not sent again. */
export interface OwnBooks {
  /** Recorded durably, under this id or a later generation (rules skipLedger, ownSkip). */
  isRecorded(jobId: string): boolean;
  /** It is a job of its own (rule retrySingle). */
  isSingle(jobId: string): boolean;
  /**
   * Runs `work`, or joins the go at this file that is under way here, by whatever job (rules skipHand, handFirst).
   * Meanwhile the file is in hand, which every comparison sees.
   */
  share(jobId: string, by: 'carrier' | 'single', work: () => Promise<FileEnd>): Promise<FileEnd>;
  /** Resolves when it is durable; rejects when it cannot be any more. Redis has no part in it. */
  handOver(outcome: Outcome): Promise<void>;
  /** A file that leaves its carrier, under the mutex of the source (rule retryMutex). */
  becomeSingle(file: CarriedFile, kind: 'live' | 'backlog', when: SingleTimes): Promise<void>;
  /** Its job has left Redis, its outcome being durable (rule keepKnown). */
  freed(jobId: string): void;
}
