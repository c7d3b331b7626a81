import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Key } from 'lmdb';
import { SlipwayError } from '../domain/errors.ts';
import {
  type DiskVersion,
  decodePathEntry,
  decodeRecorded,
  genOf,
  markedOnDisk,
  pathKey,
  statusOf,
  versionKey,
} from './ledger-codec.ts';
import {
  guarded,
  hasNoSpace,
  type LedgerRoot,
  type LedgerTables,
  openEnvironment,
  openTable,
  openTables,
  RAW,
  writeError,
} from './ledger-environment.ts';
import { checkLedgerFile } from './ledger-file.ts';
import { frozenLedger, latestPage, notesPage } from './ledger-pages.ts';
import type { CommitKeeper, Ledger } from './ledger-port.ts';
import { putEntry, stateIn } from './ledger-state.ts';
import { beginDeadLetters, openDeadLetterTable } from './tables/dead-letter-table.ts';
import { markAgain, openIntentTable } from './tables/intent-table.ts';
import type { TableName } from './tables/table-registry.ts';

export type {
  CommitKeeper,
  FrozenLedger,
  LatestPage,
  Ledger,
  LedgerCounts,
  StatusCounts,
} from './ledger-port.ts';

/** Layout of keys and values; another one is built again from the journal. */
const LAYOUT = 1;

/**
 * Opens or creates the ledger (folder 0700).
 * @param durable when a power cut can no longer damage it; `at close` is for one that is built beside the real one
 * @throws SlipwayError `ledger_unreadable`, `data_dir_newer`, `disk_full`
 */
export function openLedger(path: string, durable: 'each commit' | 'at close' = 'each commit'): Ledger {
  return guarded(path, () => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    // lmdb maps files it has not filled: on a full disk that is a bus error, not an exception.
    if (hasNoSpace(path)) throw new SlipwayError('disk_full', { path });
    checkLedgerFile(path, 'alone');
    const root = openEnvironment(path, { noSync: durable === 'at close' });
    const tables = openTables(root);
    if (tables === null) throw new Error('its tables cannot be made');
    if (tables.meta.get('id') === undefined) {
      root.transactionSync(() => {
        tables.meta.putSync('layout', LAYOUT);
        tables.meta.putSync('id', randomBytes(8).toString('hex'));
        beginDeadLetters(tables.meta);
      });
    }
    return ledgerOver(path, root, tables);
  });
}

/** Opens an existing ledger for reading only; null when there is none yet. For commands beside a running owner. */
export function readLedger(path: string): Ledger | null {
  if (!existsSync(join(path, 'data.mdb'))) return null;
  return guarded(path, () => {
    checkLedgerFile(path, 'beside its owner');
    const root = openEnvironment(path, { readOnly: true });
    const tables = openTables(root);
    // A crash between creating the file and its first transaction leaves an environment without tables.
    if (tables === null || tables.meta.get('id') === undefined) {
      void root.close();
      return null;
    }
    return ledgerOver(path, root, tables);
  });
}

function ledgerOver(path: string, root: LedgerRoot, tables: LedgerTables): Ledger {
  const { receipts, paths, meta } = tables;
  const layout = Number(meta.get('layout'));
  if (layout > LAYOUT) throw new SlipwayError('data_dir_newer', { path, found: layout, known: LAYOUT });

  const intents = openIntentTable({ ...tables, transact });
  const deadLetters = openDeadLetterTable({ ...tables, transact });
  const keepers: CommitKeeper[] = [];

  function transact<T>(work: () => T): T {
    try {
      // Synchronous on purpose: a full disk throws here, while lmdb's queued commits end the process on it.
      return root.transactionSync(work);
    } catch (error) {
      throw writeError(path, error);
    }
  }

  return {
    path,
    id: String(meta.get('id')),

    find(id) {
      const bytes = receipts.get(versionKey(id));
      return bytes === undefined ? null : decodeRecorded(bytes);
    },

    findPath(name) {
      const last = paths.get(pathKey(name));
      const bytes = last === undefined ? undefined : receipts.get(decodePathEntry(last).version);
      return bytes === undefined ? null : decodeRecorded(bytes);
    },

    counts() {
      const { latest, total } = stateIn(meta);
      return { latest, total };
    },

    mark: () => stateIn(meta).mark,

    begun: () => meta.get('state') !== undefined,

    commit(entries, mark) {
      if (entries.length === 0 && mark === stateIn(meta).mark && meta.get('state') !== undefined) return 0;
      return transact(() => {
        const next = { ...stateIn(meta), mark };
        let added = 0;
        for (const entry of entries) {
          if (!putEntry(entry, next, { ...tables, intents, deadLetters })) continue;
          added += 1;
          for (const keep of keepers) keep(entry);
        }
        meta.putSync('state', next);
        return added;
      });
    },

    latestPage: (after, limit) => latestPage(tables, after, limit),
    frozen: () => frozenLedger(root, tables),

    sendAgain: (versions) =>
      versions.length === 0
        ? 0
        : transact(() => versions.filter((version) => markAgain(receipts, version)).length),

    markDisk: (marks) => transact(() => markUploads(receipts, marks)),
    notes: (after, limit) => notesPage(receipts, after, limit),

    intents,
    deadLetters,

    table: <Value, TableKey extends Key>(name: TableName) => openTable<Value, TableKey>(root, name),
    rawTable: (name) => openTable<Buffer, Uint8Array>(root, name, RAW),
    transact,
    alongside: (batchBook) => void keepers.push(batchBook),

    close: () => root.close(),
  };
}

/** Those that have a newer generation by now, or are no uploads, are passed over. */
function markUploads(receipts: LedgerTables['receipts'], marks: readonly DiskVersion[]): void {
  for (const { key, gen, disk } of marks) {
    const bytes = receipts.get(key);
    if (bytes === undefined || genOf(bytes) !== gen || statusOf(bytes) !== 'uploaded') continue;
    receipts.putSync(key, markedOnDisk(bytes, disk));
  }
}
