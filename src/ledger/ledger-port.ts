import type { Database, Key } from 'lmdb';
import type { PathName } from '../domain/path-bytes.ts';
import type { ReceiptStatus } from '../domain/receipt.ts';
import type { DiskVersion, KnownVersion, VersionMark } from './ledger-codec.ts';
import type { LedgerEntry } from './ledger-entry.ts';
import type { DeadLetterTable } from './tables/dead-letter-table.ts';
import type { IntentTable } from './tables/intent-table.ts';
import type { TableName } from './tables/table-registry.ts';

export type StatusCounts = Readonly<Record<ReceiptStatus, number>>;

export interface LedgerCounts {
  /** The latest receipt of every path. */
  readonly latest: StatusCounts;
  /** Every receipt ever recorded. */
  readonly total: StatusCounts;
}

/** A step of a pass over the latest receipt of every path. */
export interface LatestPage {
  /** Where these receipts begin in the journal, in no order. */
  readonly offsets: readonly number[];
  readonly counts: StatusCounts;
  /** Give it back for the next page; null after the last. */
  readonly next: Buffer | null;
}

/** A step of a pass over what no receipt says of versions. */
export interface NotesPage {
  /** Those that are to go once more. */
  readonly again: readonly VersionMark[];
  readonly onDisk: readonly DiskVersion[];
  readonly next: Buffer | null;
}

/** Told of an entry that is new, inside the transaction that makes it durable. It must be quick, and must not throw. */
export type CommitKeeper = (entry: LedgerEntry) => void;

/** The index of what has been recorded (contract §2). Reads are synchronous and see every commit before them. */
export interface Ledger {
  /** The folder of the LMDB environment. */
  readonly path: string;
  /** Random, made once: tells two data folders apart that claim the same source. */
  readonly id: string;
  /** The newest receipt of a file version; null when none is recorded. */
  find(id: string): KnownVersion | null;
  /** The latest receipt of a path; null when none is recorded. */
  findPath(name: PathName): KnownVersion | null;
  counts(): LedgerCounts;
  /** Journal bytes that are covered. */
  mark(): number;
  /** Whether it has followed its journal since before now. False: what the journal holds is not news. */
  begun(): boolean;
  /**
   * One durable transaction: the entries, the counts and the mark, or nothing. An entry whose (id, gen) is recorded
   * already is passed over.
   * @param mark journal bytes covered with these entries
   * @returns how many were new
   * @throws SlipwayError `disk_full`, `ledger_unwritable`
   */
  commit(entries: readonly LedgerEntry[], mark: number): number;
  /** @param after `next` of the page before; null to begin */
  latestPage(after: Buffer | null, limit: number): LatestPage;
  /** The ledger as it is now, however much is recorded meanwhile. To be closed: it keeps old pages from being used. */
  frozen(): FrozenLedger;
  /**
   * One durable transaction: these versions go once more when they lie on disk.
   * @returns how many; a version that has a newer generation by now is passed over
   * @throws SlipwayError `disk_full`, `ledger_unwritable`
   */
  sendAgain(versions: readonly VersionMark[]): number;
  /** One durable transaction: these uploads, recorded with this generation, are of these files on disk. */
  markDisk(marks: readonly DiskVersion[]): void;
  /** What is noted of the next so many versions. @param after `next` of the page before */
  notes(after: Buffer | null, limit: number): NotesPage;
  /** What is still to be done with files. */
  readonly intents: IntentTable;
  /** Paths whose latest receipt is `failed`. */
  readonly deadLetters: DeadLetterTable;
  /**
   * A table of another keeper (batches, cursors, indexes) in the same environment, coded as the registry says.
   * @returns null: a reader, of a ledger that has none of that name
   */
  table<Value, TableKey extends Key>(name: TableName): Database<Value, TableKey> | null;
  /** The same, its keys and values as they lie there. */
  rawTable(name: TableName): Database<Buffer, Uint8Array> | null;
  /**
   * One durable transaction over any of its tables. Not to be used inside another, nor by a keeper.
   * @throws SlipwayError `disk_full`, `ledger_unwritable`
   */
  transact<T>(work: () => T): T;
  /** From now on every commit tells this keeper of each new entry; replays of the journal too. */
  alongside(batchBook: CommitKeeper): void;
  close(): Promise<void>;
}

/** A ledger at one moment. */
export interface FrozenLedger {
  /** Journal bytes that were covered. */
  readonly mark: number;
  /** Whether the line beginning there is the latest receipt of its path. */
  isLatest(name: PathName, offset: number): boolean;
  close(): void;
}
