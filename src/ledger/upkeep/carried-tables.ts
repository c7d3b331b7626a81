import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Ledger } from '../ledger-port.ts';
import { CHANGED_TABLE } from '../tables/changed-verdicts.ts';
import { openCursors } from '../tables/cursors.ts';
import { FIRST_PASS_CURSOR } from '../tables/first-pass.ts';
import { INODES_TABLE } from '../tables/inode-index.ts';
import { LOST_TABLE } from '../tables/lost-count.ts';

/**
 * Tables of other keepers that no journal could give back. They name versions, not places in the journal, so that they
 * are as true of a ledger that is built anew. The index of contents is read from the journal again.
 */
const CARRIED = [
  INODES_TABLE,
  CHANGED_TABLE,
  'root',
  'batches',
  'batch-members',
  'batch-waiting',
  'folder-batches',
  'file-meta',
  LOST_TABLE,
];

const PER_TRANSACTION = 1_000;

/** Copies them from one ledger into another that holds its receipts already. */
export async function carryTables(before: Ledger, ledger: Ledger): Promise<void> {
  for (const name of CARRIED) await carry(name, before, ledger);
  const firstPass = openCursors(before)?.get(FIRST_PASS_CURSOR);
  if (firstPass !== undefined) ledger.transact(() => openCursors(ledger)?.put(FIRST_PASS_CURSOR, firstPass));
}

async function carry(name: string, before: Ledger, ledger: Ledger): Promise<void> {
  // As they lie there, whatever their coding.
  const coding = { encoding: 'binary', keyEncoding: 'binary' } as const;
  const from = before.table<Buffer, Uint8Array>(name, coding);
  const to = ledger.table<Buffer, Uint8Array>(name, coding);
  if (from === null || to === null) return;
  let after: Buffer | null = null;
  for (let seen = PER_TRANSACTION; seen === PER_TRANSACTION; await nextTurn()) {
    const range: object = after === null ? {} : { start: after, exclusiveStart: true };
    const page = [...from.getRange({ ...range, limit: PER_TRANSACTION })].map(({ key, value }) => ({
      key: Buffer.from(key),
      value: Buffer.from(value),
    }));
    seen = page.length;
    after = page.at(-1)?.key ?? after;
    ledger.transact(() => {
      for (const { key, value } of page) to.putSync(key, value);
    });
  }
}
