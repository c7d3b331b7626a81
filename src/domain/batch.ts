import type { LeftAlone } from './left-out.ts';
import type { ReceiptStatus } from './receipt.ts';

/** How many files of a batch ended how; discovered = uploaded + failed + skipped once it is complete. */
export interface BatchCounts extends Readonly<Record<ReceiptStatus, number>> {
  readonly discovered: number;
}

/** What was asked for and is no part of a batch: no receipt says so. */
export interface BatchMissed {
  /** Lines of a list that name no file that can be taken. */
  readonly unusable: number;
  /** Files and folders that could not be looked at. */
  readonly unreadable: number;
  /** Files that were still being written when the wait for them was over. */
  readonly unsettled: number;
  /** What rules leave alone; left out by an older Slipway. */
  readonly ignored?: LeftAlone;
}

/** The one end of a batch (contract §2): every file of it has its receipt. Said once. */
export interface BatchEnd {
  readonly v: 1;
  /** Id of the batch, as its receipts carry it. */
  readonly batch: string;
  readonly source: string;
  readonly destination: string;
  /** The folder that is the batch, where a folder is one (`batch: { by: topFolder }`); its name in the source. */
  readonly folder?: string;
  readonly counts: BatchCounts;
  /** Left out: nobody looked through inputs for it, or an older Slipway did. */
  readonly missed?: BatchMissed | undefined;
  /** ISO times. */
  readonly startedAt: string;
  readonly completedAt: string;
  /** Absolute path of its manifest, complete and durable. */
  readonly manifest: string;
  /** Hex, of the manifest's bytes. */
  readonly manifestSha256: string;
}

/** A batch under way. */
export interface BatchState {
  readonly batch: string;
  readonly source: string;
  readonly destination: string;
  /** ISO time. */
  readonly startedAt: string;
  /** Whether every file of it has been found; until then `members` grows. */
  readonly discovered: boolean;
  readonly members: number;
  /** Members that have their receipt. */
  readonly done: number;
  /** Absolute path of the manifest that it will have. */
  readonly manifest: string;
}
