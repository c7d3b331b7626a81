import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Ledger } from '../ledger-port.ts';
import { openCursors } from '../tables/cursors.ts';
import { FIRST_PASS_CURSOR } from '../tables/first-pass.ts';
import { type TableName, tablesOfFate } from '../tables/table-registry.ts';

const PER_TRANSACTION = 1_000;

/** Takes over what no receipt says, from one ledger into another that holds its receipts already. */
export async function carryTables(before: Ledger, ledger: Ledger): Promise<void> {
  for (const name of tablesOfFate('copied')) await copy(name, before, ledger);
  const firstPass = openCursors(before)?.get(FIRST_PASS_CURSOR);
  if (firstPass !== undefined) ledger.transact(() => openCursors(ledger)?.put(FIRST_PASS_CURSOR, firstPass));
}

async function copy(name: TableName, before: Ledger, ledger: Ledger): Promise<void> {
  const from = before.rawTable(name);
  const to = ledger.rawTable(name);
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
