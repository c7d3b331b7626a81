import type { Receipt } from '../../domain/receipt.ts';
import { compileGlobs } from '../../platform/files/glob.ts';
import { readPlaces } from '../journal/journal-reader.ts';
import { decodeReceipt } from '../journal/receipt-codec.ts';
import type { Ledger } from '../ledger-port.ts';
import type { DeadLetter } from '../tables/dead-letter-table.ts';

/** Which dead letters are meant. Plain data: it travels to the owner. */
export interface DeadUploadFilter {
  /** Globs over the path; empty: any. */
  readonly match: readonly string[];
  /** Error codes; empty: any. */
  readonly codes: readonly string[];
}

/** A file whose upload has failed for good. */
export interface DeadUpload {
  readonly letter: DeadLetter;
  readonly receipt: Receipt;
}

export interface DeadUploadPage {
  readonly uploads: readonly DeadUpload[];
  /** Give it back for the next page; null after the last. */
  readonly next: Buffer | null;
}

/**
 * The next dead letters that a filter means, with their receipts. Few among a million are found by the ledger's index;
 * memory holds a page.
 * @param journal path of the journal
 * @param after `next` of the page before; null to begin
 * @param limit dead letters looked at, whether meant or not
 */
export async function readDeadUploads(
  ledger: Pick<Ledger, 'deadLetters'>,
  journal: string,
  filter: DeadUploadFilter,
  after: Buffer | null,
  limit: number,
): Promise<DeadUploadPage> {
  const { letters, next } = ledger.deadLetters.page(after, limit);
  const codes = new Set(filter.codes);
  const coded = letters.filter(({ recorded }) => codes.size === 0 || codes.has(recorded.code ?? ''));
  // Front to back, so that the disk is read in order.
  coded.sort((a, b) => a.recorded.offset - b.recorded.offset);
  if (coded.length === 0) return { uploads: [], next };
  const matches = filter.match.length === 0 ? () => true : compileGlobs(filter.match);
  const lines = await readPlaces(
    journal,
    coded.map(({ recorded }) => recorded),
  );
  const uploads = coded.flatMap((letter, index) => {
    const receipt = decodeReceipt(lines[index]?.toString('utf8') ?? '');
    return receipt !== null && matches(receipt.path) ? [{ letter, receipt }] : [];
  });
  return { uploads, next };
}
