import type { Key } from 'lmdb';
import type { Ledger, TableCoding } from './ledger-port.ts';

const BINARY: TableCoding = { encoding: 'binary', keyEncoding: 'binary' };
const JSON_BY_KEY: TableCoding = { encoding: 'json', keyEncoding: 'ordered-binary' };

/** Tables that no journal tells of: a ledger that is built again takes them from the one before. */
const KEPT: Readonly<Record<string, TableCoding>> = {
  batches: JSON_BY_KEY,
  'batch-members': BINARY,
  'batch-waiting': BINARY,
  'batch-ends': JSON_BY_KEY,
  'batch-end-places': JSON_BY_KEY,
  'folder-batches': JSON_BY_KEY,
  'file-meta': JSON_BY_KEY,
};

const PER_COMMIT = 1_000;

/** Copies them, a thousand entries in a transaction. */
export function carryKeptTables(before: Ledger, ledger: Ledger): void {
  for (const [name, coding] of Object.entries(KEPT)) {
    const from = before.table<unknown, Key>(name, coding);
    const to = ledger.table<unknown, Key>(name, coding);
    if (from === null || to === null) continue;
    let page: { key: Key; value: unknown }[] = [];
    const write = (): void => {
      const entries = page;
      page = [];
      ledger.transact(() => {
        for (const { key, value } of entries) to.putSync(key, value);
      });
    };
    for (const { key, value } of from.getRange({})) {
      // lmdb reads keys and values into buffers that it uses again.
      page.push({ key: Buffer.isBuffer(key) ? Buffer.from(key) : key, value: copied(value) });
      if (page.length === PER_COMMIT) write();
    }
    if (page.length > 0) write();
  }
}

function copied(value: unknown): unknown {
  return Buffer.isBuffer(value) ? Buffer.from(value) : value;
}
