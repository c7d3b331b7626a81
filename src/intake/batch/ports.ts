import type { BatchEnd, BatchMissed, BatchState } from '../../domain/batch.ts';
import type { BatchSource } from '../../domain/batch-source.ts';
import type { GivenMeta } from '../../domain/file-meta.ts';
import type { LeftOut } from '../../domain/left-out.ts';
import type { AdmissionPorts } from '../ports.ts';

/** A generation of a file version, as a member of a batch. */
export interface BatchMember {
  readonly id: string;
  readonly gen: number;
}

/** The books of a source's batches, as far as finding their files needs them; durable at every call. */
export interface BatchRecords {
  /** @returns `ended`: it has ended before, nothing is to be done for it any more */
  open(part: BatchSource): 'open' | 'ended';
  /** These belong to it. */
  add(batch: string, members: readonly BatchMember[]): unknown;
  /** Its inputs have been looked through; more may come of files that change. */
  walked(batch: string): void;
  /** Every file of it has been found. */
  discovered(batch: string, missed: BatchMissed, leftOut: readonly LeftOut[]): void;
  /** null: unknown, or ended. */
  state(batch: string): BatchState | null;
  readonly ends: { find(batch: string): BatchEnd | null };
  /** Resolves when it has ended. */
  ended(batch: string): Promise<BatchEnd>;
  /** Takes out of it what can have no receipt any more: its job is lost and its file gone. @returns how many */
  dropOrphans(batch: string): Promise<number>;
}

/** What is attached to the files of one batch. */
export interface BatchAttachments {
  readonly attached: AdmissionPorts['attached'];
  /** All of the batch has its receipt. */
  forget(): Promise<void>;
}

/** @throws SlipwayError `usage` for a list with bad lines */
export type OpenBatchAttachments = (batch: string, given: GivenMeta | undefined) => Promise<BatchAttachments>;
