import {
  type DiskVersion,
  decodePathEntry,
  diskOf,
  genOf,
  isAgain,
  offsetOf,
  pathKey,
  statusOf,
  type VersionMark,
} from './ledger-codec.ts';
import type { LedgerRoot, LedgerTables } from './ledger-environment.ts';
import type { FrozenLedger, LatestPage, Ledger } from './ledger-port.ts';
import { type LedgerState, noCounts } from './ledger-state.ts';

/** The latest receipts of the next paths. @param after key of the last path before; null: from the beginning */
export function latestPage(
  { paths, receipts }: Pick<LedgerTables, 'paths' | 'receipts'>,
  after: Buffer | null,
  limit: number,
): LatestPage {
  const offsets: number[] = [];
  const counts = noCounts();
  let key: Buffer | null = null;
  let seen = 0;
  for (const entry of paths.getRange(behind(after, limit))) {
    seen += 1;
    key = Buffer.from(entry.key);
    const bytes = receipts.get(decodePathEntry(entry.value).version);
    if (bytes === undefined) continue;
    offsets.push(offsetOf(bytes));
    counts[statusOf(bytes)] += 1;
  }
  return { offsets, counts, next: seen < limit ? null : key };
}

/** What no receipt says of the next versions. */
export function notesPage(
  receipts: LedgerTables['receipts'],
  after: Buffer | null,
  limit: number,
): ReturnType<Ledger['notes']> {
  const again: VersionMark[] = [];
  const onDisk: DiskVersion[] = [];
  let next: Buffer | null = null;
  let seen = 0;
  for (const { key, value } of receipts.getRange(behind(after, limit))) {
    seen += 1;
    next = Buffer.from(key);
    const disk = diskOf(value);
    if (isAgain(value)) again.push({ key: next, gen: genOf(value) });
    if (disk !== null) onDisk.push({ key: next, gen: genOf(value), disk });
  }
  return { again, onDisk, next: seen < limit ? null : next };
}

/** The ledger as it is now, whatever is committed afterwards. */
export function frozenLedger(root: LedgerRoot, { receipts, paths, meta }: LedgerTables): FrozenLedger {
  const transaction = root.useReadTransaction();
  const mark = (meta.get('state', { transaction }) as LedgerState | undefined)?.mark ?? 0;
  return {
    mark,
    isLatest(name, offset) {
      const last = paths.get(pathKey(name), { transaction });
      const bytes =
        last === undefined ? undefined : receipts.get(decodePathEntry(last).version, { transaction });
      return bytes !== undefined && offsetOf(bytes) === offset;
    },
    close: () => transaction.done(),
  };
}

/** The next of a table. */
function behind(
  after: Buffer | null,
  limit: number,
): { readonly limit: number; readonly start?: Buffer; readonly exclusiveStart?: true } {
  return after === null ? { limit } : { start: after, exclusiveStart: true, limit };
}
