import type { ReceiptStatus } from '../domain/receipt.ts';
import type { Intent } from './intent.ts';
import {
  decodePathEntry,
  decodeRecorded,
  encodePathEntry,
  encodeRecorded,
  pathKey,
  statusOf,
  versionKey,
} from './ledger-codec.ts';
import type { LedgerEntry } from './ledger-entry.ts';
import type { LedgerTables } from './ledger-environment.ts';
import type { DeadLetterKeeper } from './tables/dead-letter-table.ts';

/** How far a ledger has followed its journal, and how many receipts it knows. */
export interface LedgerState {
  readonly mark: number;
  readonly latest: Record<ReceiptStatus, number>;
  readonly total: Record<ReceiptStatus, number>;
}

/** What a commit writes into. */
export interface CommitTables extends Pick<LedgerTables, 'receipts' | 'paths'> {
  readonly intents: { add(intent: Intent): void };
  readonly deadLetters: DeadLetterKeeper;
}

export function stateIn(meta: LedgerTables['meta']): LedgerState {
  const stored = meta.get('state') as LedgerState | undefined;
  return stored === undefined ? { mark: 0, latest: noCounts(), total: noCounts() } : stored;
}

export function noCounts(): Record<ReceiptStatus, number> {
  return { uploaded: 0, failed: 0, skipped: 0 };
}

/**
 * Takes one receipt in, inside the transaction of a commit.
 * @param next counted on
 * @returns false: this generation of it, or a later one, is known
 */
export function putEntry(entry: LedgerEntry, next: LedgerState, tables: CommitTables): boolean {
  const { receipts, paths, intents, deadLetters } = tables;
  const key = versionKey(entry.id);
  const before = receipts.get(key);
  if (before !== undefined && decodeRecorded(before).gen >= entry.gen) return false;
  const place = pathKey(entry.name);
  const last = paths.get(place);
  if (supersedes(entry, key, last)) {
    const replacedKey = last === undefined ? undefined : decodePathEntry(last).version;
    const replaced = replacedKey === undefined ? undefined : receipts.get(replacedKey);
    if (replaced !== undefined) next.latest[statusOf(replaced)] -= 1;
    if (replacedKey !== undefined && replaced !== undefined && statusOf(replaced) === 'failed')
      deadLetters.replaced(place, replacedKey);
    next.latest[entry.status] += 1;
    if (entry.status === 'failed') deadLetters.failed(place, key);
    paths.putSync(place, encodePathEntry({ version: key, queuedAtMs: entry.queuedAtMs }));
  }
  receipts.putSync(key, encodeRecorded(entry));
  if (entry.intent !== null) intents.add(entry.intent);
  next.total[entry.status] += 1;
  return true;
}

/** Whether a receipt is the latest of its path: a version admitted earlier may end later and says nothing new then. */
function supersedes(entry: LedgerEntry, key: Buffer, last: Buffer | undefined): boolean {
  if (last === undefined) return true;
  const { version, queuedAtMs } = decodePathEntry(last);
  return version.equals(key) || entry.queuedAtMs >= queuedAtMs;
}
