import { statfsSync } from 'node:fs';
import { type Database, type Key, open, type RootDatabase } from 'lmdb';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { StoredIntent } from './tables/intent-table.ts';
import { LEDGER_TABLES, type TableCoding, type TableName } from './tables/table-registry.ts';

export type LedgerRoot = RootDatabase<Buffer, Uint8Array>;

export interface LedgerTables {
  readonly receipts: Database<Buffer, Uint8Array>;
  readonly paths: Database<Buffer, Uint8Array>;
  readonly meta: Database<unknown, string>;
  /** null: a reader of a ledger that an older Slipway wrote. */
  readonly intents: Database<Omit<StoredIntent, 'key'>, number> | null;
  /** null: as above. */
  readonly failed: Database<Buffer, Uint8Array> | null;
  readonly discarded: Database<Buffer, Uint8Array> | null;
}

/**
 * Address space set aside, not memory or disk: some 100 million receipts. Without it lmdb maps the file again whenever
 * it has grown, keeps the old maps, and the process seems three times as large.
 */
const MAP_BYTES = 16 * 1024 ** 3;

/** Below this a failed write is taken for a full disk: LMDB says EIO of a write that fits only partly. */
const FULL_BELOW_BYTES = 1024 * 1024;

/** The LMDB environment of a ledger. */
export function openEnvironment(
  path: string,
  options: { readonly readOnly?: boolean; readonly noSync?: boolean },
): LedgerRoot {
  return open<Buffer, Uint8Array>({
    path,
    ...options,
    noSubdir: false,
    // Its own choice lets a group write.
    ...{ permissionsMode: 0o600 },
    // The tables below, and those of other keepers.
    maxDbs: 32,
    mapSize: MAP_BYTES,
    // Plain LMDB commits: synced in order before they return, so that neither a kill nor a power cut damages the tree.
    overlappingSync: false,
  });
}

/** As it lies there, whatever its coding. */
export const RAW: TableCoding = { encoding: 'binary', keyEncoding: 'binary' };

/** @returns null: a reader, of a ledger that has none of that name */
export function openTable<Value, TableKey extends Key>(
  root: LedgerRoot,
  name: TableName,
  coding: TableCoding = LEDGER_TABLES[name].coding,
): Database<Value, TableKey> | null {
  // The types do not say so, but of a table that is not there a reader gets none.
  return (root.openDB<Value, TableKey>({ name, ...coding }) as Database<Value, TableKey> | undefined) ?? null;
}

/** Opens the tables of a commit; a reader finds none in what a crash left before the first transaction. */
export function openTables(root: LedgerRoot): LedgerTables | null {
  const receipts = openTable<Buffer, Uint8Array>(root, 'receipts');
  const paths = openTable<Buffer, Uint8Array>(root, 'paths');
  const meta = openTable<unknown, string>(root, 'meta');
  if (receipts === null || paths === null || meta === null) return null;
  return {
    ...{ receipts, paths, meta },
    intents: openTable(root, 'intents'),
    failed: openTable(root, 'failed'),
    discarded: openTable(root, 'discarded'),
  };
}

/** Runs what opens a ledger; whatever lmdb throws becomes an error with the fix in it. */
export function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    if (hasNoSpace(path)) throw new SlipwayError('disk_full', { path }, { cause: error });
    throw new SlipwayError('ledger_unreadable', { ledger: path, reason: reasonOf(error) }, { cause: error });
  }
}

/** The error of a transaction that could not be written. */
export function writeError(path: string, error: unknown): SlipwayError {
  const reason = error instanceof Error ? error.message : String(error);
  return new SlipwayError(
    hasNoSpace(path) ? 'disk_full' : 'ledger_unwritable',
    { path, ledger: path, reason },
    { cause: error },
  );
}

/** Whether the disk is full, as far as can be told. */
export function hasNoSpace(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize < FULL_BELOW_BYTES;
  } catch {
    return false;
  }
}
