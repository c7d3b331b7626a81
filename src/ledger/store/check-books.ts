import { reasonOf } from '../../domain/errors.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { ReceiptStatus } from '../../domain/receipt.ts';
import { readLines } from '../journal/journal-reader.ts';
import type { ManifestJournal } from '../journal/manifest-journal.ts';
import { decodeReceipt } from '../journal/receipt-codec.ts';
import { decodePathEntry, pathKey, versionKey } from '../ledger-codec.ts';
import { type LedgerEntry, ledgerEntryOf } from '../ledger-entry.ts';
import type { Ledger } from '../ledger-port.ts';
import { noCounts } from '../ledger-state.ts';
import { LEDGER_TABLES, TABLE_NAMES } from '../tables/table-registry.ts';

/** What a comparison of a ledger with its journal has found. */
export interface BooksCheck {
  /** Where the ledger does not say what the journal says; null: nowhere. */
  readonly disagreement: string | null;
  /** Why a table that no receipt says cannot be read; null: all can. */
  readonly unreadable: string | null;
  /** Byte at which the first line begins that is no receipt; null: all are. */
  readonly brokenAt: number | null;
  /** Lines whose (id, gen) an earlier line has: they count for nothing. */
  readonly duplicates: number;
}

/** What a ledger says when it has followed the journal so far. */
interface Expected {
  readonly records: Map<string, LedgerEntry>;
  readonly latest: Record<ReceiptStatus, number>;
  readonly total: Record<ReceiptStatus, number>;
  readonly paths: Map<string, { readonly name: PathName; readonly id: string; readonly queuedAtMs: number }>;
  brokenAt: number | null;
  duplicates: number;
}

/**
 * Compares what a ledger says of receipts with the journal, line by line up to its mark: a bit that flipped in a record
 * would send a file again, or record it under a generation that is taken. To be used for small ones: it reads all of both.
 */
export async function checkBooks(
  ledger: Ledger,
  journal: Pick<ManifestJournal, 'path'>,
): Promise<BooksCheck> {
  const unreadable = unreadableTable(ledger);
  const nothing = { unreadable, brokenAt: null, duplicates: 0 };
  try {
    const expected = await followed(journal.path, ledger.mark());
    const { brokenAt, duplicates } = expected;
    return { disagreement: disagreement(ledger, expected), unreadable, brokenAt, duplicates };
  } catch (error) {
    return { ...nothing, disagreement: `its records cannot be read (${reasonOf(error)})` };
  }
}

async function followed(path: string, mark: number): Promise<Expected> {
  const expected: Expected = {
    ...{ records: new Map(), latest: noCounts(), total: noCounts(), paths: new Map() },
    ...{ brokenAt: null, duplicates: 0 },
  };
  for await (const lines of readLines(path, { from: 0, to: mark })) {
    for (const line of lines) {
      const receipt = decodeReceipt(line.bytes.toString('utf8'));
      if (receipt === null) expected.brokenAt ??= line.offset;
      else take(ledgerEntryOf(receipt, line), expected);
    }
  }
  return expected;
}

/** The rules of a commit, see `putEntry`. */
function take(entry: LedgerEntry, expected: Expected): void {
  const { records, latest, total, paths } = expected;
  const { id, name, queuedAtMs } = entry;
  const before = records.get(id);
  if (before !== undefined && before.gen >= entry.gen) {
    if (before.gen === entry.gen) expected.duplicates += 1;
    return;
  }
  const place = pathKey(name).toString('latin1');
  const last = paths.get(place);
  if (last === undefined || last.id === id || queuedAtMs >= last.queuedAtMs) {
    const replaced = last === undefined ? undefined : records.get(last.id);
    if (replaced !== undefined) latest[replaced.status] -= 1;
    latest[entry.status] += 1;
    paths.set(place, { name, id, queuedAtMs });
  }
  records.set(id, entry);
  total[entry.status] += 1;
}

function disagreement(ledger: Ledger, expected: Expected): string | null {
  const { records, paths, brokenAt } = expected;
  for (const entry of records.values()) {
    const known = ledger.find(entry.id);
    if (known === null) return `it does not know the receipt at byte ${entry.offset}`;
    const isSame =
      known.gen === entry.gen &&
      known.status === entry.status &&
      known.code === entry.code &&
      known.offset === entry.offset &&
      known.length === entry.length;
    // A broken line may be the one that it knows instead.
    if (!isSame && (brokenAt === null || known.gen <= entry.gen))
      return `it has another record of the receipt at byte ${entry.offset}`;
  }
  const table = ledger.rawTable('paths');
  for (const { name, id, queuedAtMs } of paths.values()) {
    const value = table?.get(pathKey(name));
    const last = value === undefined ? null : decodePathEntry(value);
    const isSame = last?.version.equals(versionKey(id)) === true && last.queuedAtMs === queuedAtMs;
    if (!isSame && brokenAt === null) return `it does not know the latest receipt of ${name.path}`;
  }
  // What a broken line said nobody can compare.
  if (brokenAt !== null) return null;
  const known = ledger.rawTable('receipts')?.getKeysCount() ?? 0;
  if (known !== records.size) return `it knows ${known} versions, the journal ${records.size}`;
  const { latest, total } = ledger.counts();
  for (const status of ['uploaded', 'failed', 'skipped'] as const)
    if (latest[status] !== expected.latest[status] || total[status] !== expected.total[status])
      return 'its counts are wrong';
  return null;
}

/** Rows of JSON that are none any more. */
function unreadableTable(ledger: Ledger): string | null {
  for (const name of TABLE_NAMES) {
    if (LEDGER_TABLES[name].coding.encoding !== 'json') continue;
    try {
      for (const _row of ledger.table(name)?.getRange({}) ?? []);
    } catch (error) {
      return `its table ${name} cannot be read (${reasonOf(error)})`;
    }
  }
  return null;
}
