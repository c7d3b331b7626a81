import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { type ManifestJournal, openJournal } from '../journal/manifest-journal.ts';
import { type Ledger, openLedger } from '../ledger.ts';
import { rebuildLedger } from '../upkeep/rebuild-ledger.ts';
import { type BooksCheck, checkBooks } from './check-books.ts';

export interface Books {
  readonly ledger: Ledger;
  readonly journal: ManifestJournal;
}

/** Some 6,000 receipts, 60 ms. What is larger is compared where it was built anew, and past its mark at every start. */
const COMPARED_BYTES = 8 * 1024 * 1024;

/**
 * Opens a ledger and its journal. A small pair is compared: a ledger that does not say what its journal says is built again
 * from it, and lies beside as `<ledger>.old`.
 * @throws SlipwayError `ledger_unreadable`, `journal_corrupt`, and what opening them throws
 */
export async function openBooks(path: string, journalPath: string, log: Log): Promise<Books> {
  const books = await open(path, journalPath, log);
  if (books.ledger.mark() > COMPARED_BYTES) return books;
  const check = await checkBooks(books.ledger, books.journal);
  sayDuplicates(check, books.journal, log);
  if (check.disagreement === null && check.unreadable === null) {
    if (check.brokenAt !== null) sayBroken(check.brokenAt, books.journal, log);
    return books;
  }
  await close(books);
  // Carried over, it would be as unreadable in a new one.
  if (check.unreadable !== null)
    throw new SlipwayError('ledger_unreadable', { ledger: path, reason: check.unreadable });
  if (check.brokenAt !== null)
    throw new SlipwayError('journal_corrupt', { path: journalPath, offset: check.brokenAt });
  log.warn(
    { ledger: path, reason: check.disagreement },
    'the ledger is damaged: it is built again from the manifest journal',
  );
  await rebuildLedger({ ledger: path, journal: journalPath, log });
  return await open(path, journalPath, log);
}

async function open(path: string, journalPath: string, log: Log): Promise<Books> {
  const ledger = openLedger(path);
  try {
    const journal = await openJournal({ path: journalPath, mark: markOf(ledger, path), ledger: path, log });
    return { ledger, journal };
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

/** @throws SlipwayError `ledger_unreadable` */
function markOf(ledger: Ledger, path: string): number {
  try {
    const mark = ledger.mark();
    if (Number.isSafeInteger(mark) && mark >= 0) return mark;
  } catch (error) {
    throw new SlipwayError('ledger_unreadable', { ledger: path, reason: reasonOf(error) }, { cause: error });
  }
  throw new SlipwayError('ledger_unreadable', { ledger: path, reason: 'its mark is damaged' });
}

async function close({ ledger, journal }: Books): Promise<void> {
  await journal.close();
  await ledger.close();
}

function sayDuplicates({ duplicates }: BooksCheck, { path }: ManifestJournal, log: Log): void {
  if (duplicates === 0) return;
  log.warn(
    { journal: path, duplicates },
    'the manifest journal holds receipts twice: the first of each counts; slipway manifest compact leaves the others out',
  );
}

function sayBroken(offset: number, { path }: ManifestJournal, log: Log): void {
  log.warn(
    { journal: path, offset },
    'the manifest journal has a line that is not a receipt any more: the ledger knows that it was one, but what it said is lost; put the journal back from a backup',
  );
}
