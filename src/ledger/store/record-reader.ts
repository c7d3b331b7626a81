import { stat } from 'node:fs/promises';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { IntentOf } from '../intent.ts';
import { readLines, readPlace } from '../journal/journal-reader.ts';
import { type ReplayedJournal, replayJournal } from '../journal/journal-replay.ts';
import { latestLines, receiptLines } from '../journal/latest-lines.ts';
import { journalPathOf } from '../journal/manifest-journal.ts';
import { decodeReceipt } from '../journal/receipt-codec.ts';
import { type Ledger, openLedger } from '../ledger.ts';
import type { Recorded } from '../ledger-codec.ts';
import { finishCompaction } from '../upkeep/compaction-switch.ts';
import { openDataDir, sourceFolder } from './data-dir.ts';
import { type DeadUpload, type DeadUploadFilter, readDeadUploads } from './dead-upload-reader.ts';
import { lockSource, ownerOf } from './source-lock.ts';
import { ledgerPathOf, readSourceLedger, type StorePlace } from './source-store.ts';

/** What is recorded of a source, for reading beside a running owner or without one. */
export interface RecordReader {
  /** Journal bytes that are recorded. */
  readonly mark: number;
  /** The newest receipt of a file version. */
  find(id: string): Promise<Receipt | null>;
  /** The latest receipt of a path. */
  findPath(name: PathName): Promise<Receipt | null>;
  /**
   * Every receipt, in the order of their recording; memory does not grow with them.
   * @param containing only those whose line holds this text
   */
  all(containing?: string): AsyncGenerator<readonly Receipt[]>;
  /** The latest receipt of every path, in the order of their recording; memory does not grow with them. */
  latest(): AsyncGenerator<readonly Receipt[]>;
  /** Files whose upload has failed for good, as a filter means them, in no order; memory does not grow with them. */
  dead(filter: DeadUploadFilter): AsyncGenerator<readonly DeadUpload[]>;
  /** How many there are, whatever filter. */
  deadCount(): number;
  close(): Promise<void>;
}

const DEAD_PER_PAGE = 500;

/**
 * Opens what is recorded of a source. Where a crash has left the ledger behind the journal, or no ledger, and nobody
 * owns the source now, the ledger is brought up first, as a start would.
 * @returns null when nothing was ever recorded
 * @throws SlipwayError what opening the store throws
 */
export async function openRecordReader(
  place: StorePlace & { readonly intentOf?: IntentOf | undefined },
): Promise<RecordReader | null> {
  const { dataDir, source } = place;
  const path = journalPathOf(place.manifest);
  const size = (await stat(path).catch(() => null))?.size ?? 0;
  let ledger = readSourceLedger(dataDir, source);
  if ((ledger?.mark() ?? 0) < size && ownerOf(dataDir, source) === null) {
    await ledger?.close();
    await bringUp(place, journalView(path, size), ledger !== null);
    ledger = readSourceLedger(dataDir, source);
  }
  if (ledger === null) return null;
  const mark = ledger.mark();
  if (size >= mark) return readerOver(ledger, path);
  await ledger.close();
  throw new SlipwayError('journal_short', { path, size, mark, ledger: ledger.path });
}

function readerOver(ledger: Ledger, path: string): RecordReader {
  async function at(recorded: Recorded | null): Promise<Receipt | null> {
    const line = recorded === null ? null : await readPlace(path, recorded);
    return line === null ? null : decodeReceipt(line.toString('utf8'));
  }

  const mark = ledger.mark();
  return {
    mark,
    find: (id) => at(ledger.find(id)),
    findPath: (name) => at(ledger.findPath(name)),

    async *all(containing) {
      const needle = containing === undefined ? null : Buffer.from(containing, 'utf8');
      if (mark === 0) return;
      for await (const lines of receiptLines(path, { from: 0, to: mark }, needle)) {
        yield lines.map(({ receipt }) => receipt);
      }
    },

    async *latest() {
      const frozen = ledger.frozen();
      try {
        if (frozen.mark === 0) return;
        for await (const lines of latestLines(path, frozen)) yield lines.map(({ receipt }) => receipt);
      } finally {
        frozen.close();
      }
    },

    async *dead(filter) {
      for (let after: Buffer | null = null; ; ) {
        const page = await readDeadUploads(ledger, path, filter, after, DEAD_PER_PAGE);
        if (page.uploads.length > 0) yield page.uploads;
        if (page.next === null) return;
        after = page.next;
      }
    },

    deadCount: () => ledger.deadLetters.count(),

    close: () => ledger.close(),
  };
}

/** As a start would, but the journal is only read: its owner may be on another host, in the middle of an append. */
async function bringUp(
  place: StorePlace & { readonly intentOf?: IntentOf | undefined },
  journal: ReplayedJournal,
  canDoWithout: boolean,
): Promise<void> {
  const { dataDir, source, log, intentOf } = place;
  try {
    await openDataDir(dataDir);
    const unlock = lockSource(dataDir, source);
    try {
      await finishCompaction(sourceFolder(dataDir, source), log);
      const ledger = openLedger(ledgerPathOf(dataDir, source));
      try {
        await replayJournal({ journal, ledger, log, intentOf });
      } finally {
        await ledger.close();
      }
    } finally {
      unlock();
    }
  } catch (error) {
    // Another user's data folder may be read and not written; an owner may have started just now.
    if (!canDoWithout) throw error;
    log.debug({ source, reason: reasonOf(error) }, 'the ledger is read as it is');
  }
}

function journalView(path: string, size: number): ReplayedJournal {
  return {
    path,
    size: () => size,
    lines: (from) => readLines(path, { from, to: size }),
    // What a power cut left is for the owner to remove.
    cut: async () => undefined,
  };
}
