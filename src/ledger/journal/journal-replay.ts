import { SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { commitInParts } from '../commit-in-parts.ts';
import type { CommitPace } from '../commit-pace.ts';
import type { IntentOf } from '../intent.ts';
import type { Ledger } from '../ledger.ts';
import { type LedgerEntry, ledgerEntryOf } from '../ledger-entry.ts';
import type { JournalLine } from './journal-reader.ts';
import type { ManifestJournal } from './manifest-journal.ts';
import { decodeReceipt } from './receipt-codec.ts';

/** Gathered before they are committed, in parts that hold up the event loop for a moment each. */
const GATHERED_ENTRIES = 1_000;

const NUL = 0x00;

/** What a replay needs of a journal. */
export type ReplayedJournal = Pick<ManifestJournal, 'path' | 'size' | 'lines' | 'cut'>;

/**
 * Brings the ledger up to the journal: what a crash left between the two, or everything when the ledger is new.
 * @param options.intentOf for what a crash left only: a new ledger learns what happened long ago, and acts on none of it
 * @returns how many receipts the ledger did not know
 * @throws SlipwayError `journal_corrupt`, `disk_full`, `ledger_unwritable`
 */
export async function replayJournal(options: {
  readonly journal: ReplayedJournal;
  readonly ledger: Ledger;
  readonly log: Log;
  readonly intentOf?: IntentOf | undefined;
  /** How much of it at once. */
  readonly pace?: CommitPace;
}): Promise<number> {
  const { journal, ledger, log, pace } = options;
  const from = ledger.mark();
  const isNew = !ledger.begun();
  const intentOf = isNew ? undefined : options.intentOf;
  /** Receipts of files that are, or were, to be moved, deleted or given theirs. */
  let unknownActions = 0;
  if (journal.size() <= from) return 0;
  let entries: LedgerEntry[] = [];
  let mark = from;
  let added = 0;
  for await (const lines of journal.lines(from)) {
    for (const line of lines) {
      const entry = entryOf(line, intentOf);
      if (entry === null) {
        await refuseOrCut(journal, line);
        added += await commitInParts(ledger, entries, mark, pace);
        return told(added);
      }
      if (isNew && options.intentOf !== undefined && wantsAction(line, options.intentOf)) unknownActions += 1;
      entries.push(entry);
      mark = line.offset + line.length + 1;
      if (entries.length < GATHERED_ENTRIES) continue;
      added += await commitInParts(ledger, entries, mark, pace);
      entries = [];
    }
  }
  added += await commitInParts(ledger, entries, mark, pace);
  return told(added);

  function told(count: number): number {
    if (unknownActions > 0)
      log.warn(
        { journal: journal.path, receipts: unknownActions },
        'the ledger was lost, and with it which files were still to be moved, deleted or given their receipt: those that still lie in the folder stay as they are',
      );
    log.info(
      { journal: journal.path, fromByte: from, receipts: count },
      'ledger caught up with the manifest journal',
    );
    return count;
  }
}

function entryOf(line: JournalLine, intentOf: IntentOf | undefined): LedgerEntry | null {
  const receipt = decodeReceipt(line.bytes.toString('utf8'));
  return receipt === null ? null : ledgerEntryOf(receipt, line, intentOf);
}

function wantsAction(line: JournalLine, intentOf: IntentOf): boolean {
  const receipt = decodeReceipt(line.bytes.toString('utf8'));
  return receipt !== null && intentOf(receipt) !== null;
}

/**
 * NULs past the mark are blocks of the last append that a power cut left unwritten. No append follows one that was
 * not durable, and no job of it was removed: the rest of the file may go. Any other broken line is somebody's edit.
 */
async function refuseOrCut(journal: ReplayedJournal, line: JournalLine): Promise<void> {
  if (!line.bytes.includes(NUL))
    throw new SlipwayError('journal_corrupt', { path: journal.path, offset: line.offset });
  await journal.cut(line.offset);
}
