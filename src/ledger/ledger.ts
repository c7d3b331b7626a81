import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Key } from 'lmdb';
import { SlipwayError } from '../domain/errors.ts';
import type { ReceiptStatus } from '../domain/receipt.ts';
import {
  decodePathEntry,
  decodeRecorded,
  encodePathEntry,
  encodeRecorded,
  genOf,
  isAgain,
  offsetOf,
  pathKey,
  statusOf,
  type VersionMark,
  versionKey,
} from './ledger-codec.ts';
import type { LedgerEntry } from './ledger-entry.ts';
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
import type { CommitKeeper, Ledger } from './ledger-port.ts';
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

interface State {
  readonly mark: number;
  readonly latest: Record<ReceiptStatus, number>;
  readonly total: Record<ReceiptStatus, number>;
}

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
    checkLedgerFile(path);
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
    checkLedgerFile(path);
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

  function state(): State {
    const stored = meta.get('state') as State | undefined;
    return stored === undefined ? { mark: 0, latest: noCounts(), total: noCounts() } : stored;
  }

  /** Whether a receipt is the latest of its path: a version admitted earlier may end later and says nothing new then. */
  function supersedes(entry: LedgerEntry, key: Buffer, last: Buffer | undefined): boolean {
    if (last === undefined) return true;
    const { version, queuedAtMs } = decodePathEntry(last);
    return version.equals(key) || entry.queuedAtMs >= queuedAtMs;
  }

  function put(entry: LedgerEntry, next: State): boolean {
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
      const { latest, total } = state();
      return { latest, total };
    },

    mark: () => state().mark,

    begun: () => meta.get('state') !== undefined,

    commit(entries, mark) {
      if (entries.length === 0 && mark === state().mark && meta.get('state') !== undefined) return 0;
      return transact(() => {
        const next = { ...state(), mark };
        let added = 0;
        for (const entry of entries) {
          if (!put(entry, next)) continue;
          added += 1;
          for (const keep of keepers) keep(entry);
        }
        meta.putSync('state', next);
        return added;
      });
    },

    latestPage(after, limit) {
      const range = after === null ? { limit } : { start: after, exclusiveStart: true, limit };
      const offsets: number[] = [];
      const counts = noCounts();
      let key: Buffer | null = null;
      let seen = 0;
      for (const entry of paths.getRange(range)) {
        seen += 1;
        key = Buffer.from(entry.key);
        const bytes = receipts.get(decodePathEntry(entry.value).version);
        if (bytes === undefined) continue;
        offsets.push(offsetOf(bytes));
        counts[statusOf(bytes)] += 1;
      }
      return { offsets, counts, next: seen < limit ? null : key };
    },

    frozen() {
      const transaction = root.useReadTransaction();
      const mark = (meta.get('state', { transaction }) as State | undefined)?.mark ?? 0;
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
    },

    sendAgain: (versions) =>
      versions.length === 0
        ? 0
        : transact(() => versions.filter((version) => markAgain(receipts, version)).length),

    again(after, limit) {
      const range = after === null ? { limit } : { start: after, exclusiveStart: true, limit };
      const versions: VersionMark[] = [];
      let next: Buffer | null = null;
      let seen = 0;
      for (const { key, value } of receipts.getRange(range)) {
        seen += 1;
        next = Buffer.from(key);
        if (isAgain(value)) versions.push({ key: next, gen: genOf(value) });
      }
      return { versions, next: seen < limit ? null : next };
    },

    intents,
    deadLetters,

    table: <Value, TableKey extends Key>(name: TableName) => openTable<Value, TableKey>(root, name),
    rawTable: (name) => openTable<Buffer, Uint8Array>(root, name, RAW),
    transact,
    alongside: (batchBook) => void keepers.push(batchBook),

    close: () => root.close(),
  };
}

function noCounts(): Record<ReceiptStatus, number> {
  return { uploaded: 0, failed: 0, skipped: 0 };
}
