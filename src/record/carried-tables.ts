import { CHANGED_TABLE } from './changed-verdicts.ts';
import { openCursors } from './cursors.ts';
import { FIRST_PASS_CURSOR } from './first-pass.ts';
import { INODES_TABLE } from './inode-index.ts';
import type { Ledger } from './ledger-port.ts';

/**
 * Tables of other keepers that no journal could give back. They name versions, not places in the journal, so that they
 * are as true of a ledger that is built anew. The index of contents is read from the journal again.
 */
const CARRIED = [INODES_TABLE, CHANGED_TABLE];

const PER_TRANSACTION = 1_000;

/** Copies them from one ledger into another. */
export function carryTables(before: Ledger, ledger: Ledger): void {
  const coding = { encoding: 'binary', keyEncoding: 'binary' } as const;
  for (const name of CARRIED) {
    const from = before.table<Buffer, Uint8Array>(name, coding);
    const to = ledger.table<Buffer, Uint8Array>(name, coding);
    let page: { key: Uint8Array; value: Buffer }[] = [];
    const write = (): void => {
      ledger.transact(() => {
        for (const { key, value } of page) to?.putSync(key, value);
      });
      page = [];
    };
    for (const { key, value } of from?.getRange({}) ?? []) {
      page.push({ key: Buffer.from(key), value: Buffer.from(value) });
      if (page.length === PER_TRANSACTION) write();
    }
    if (page.length > 0) write();
  }
  const firstPass = openCursors(before)?.get(FIRST_PASS_CURSOR);
  if (firstPass !== undefined) ledger.transact(() => openCursors(ledger)?.put(FIRST_PASS_CURSOR, firstPass));
}
