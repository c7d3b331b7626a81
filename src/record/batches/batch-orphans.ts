import { setImmediate as nextTurn } from 'node:timers/promises';
import { jobIdOf } from '../../domain/upload-job.ts';
import { versionKey } from '../../ledger/ledger-codec.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import {
  genIn,
  idInMember,
  membersOf,
  openBatchTables,
  waitingKey,
} from '../../ledger/tables/batch-tables.ts';
import type { Exclusive } from '../../platform/waiting/mutex.ts';

const PER_PAGE = 1_000;

/**
 * Takes out of a batch what can have no receipt any more: no job of it is left, and its file is gone or another version
 * now. So it may be after a kill between the two steps of an admission, or after Redis was lost. To be called when all
 * that lies on disk has been seen and queued since.
 * @param exclusive the source's mutex: between its place in the batch and its job nothing is an orphan
 * @returns how many
 */
export async function dropOrphans(options: {
  readonly ledger: Ledger;
  readonly batch: string;
  readonly isPending: (jobId: string) => boolean;
  readonly exclusive: Exclusive;
}): Promise<number> {
  const { ledger, batch, isPending, exclusive } = options;
  const tables = openBatchTables(ledger);
  const number = tables?.rows.get(batch)?.number;
  if (tables === null || number === undefined) return 0;
  const { rows, members, waiting } = tables;
  const { start, end } = membersOf(number);
  let dropped = 0;
  let after = start;

  function page(): number {
    let seen = 0;
    const orphans: { readonly member: Buffer; readonly waits: Buffer }[] = [];
    const range = { start: after, exclusiveStart: after !== start, end, limit: PER_PAGE };
    for (const { key, value } of members.getRange(range)) {
      seen += 1;
      after = Buffer.from(key);
      const id = idInMember(key);
      const waits = waitingKey(versionKey(id), number ?? 0);
      if (waiting.get(waits) === undefined || isPending(jobIdOf(id, genIn(value)))) continue;
      orphans.push({ member: after, waits });
    }
    if (orphans.length > 0) ledger.transact(() => drop(orphans));
    return seen;
  }

  function drop(orphans: readonly { readonly member: Buffer; readonly waits: Buffer }[]): void {
    const row = rows.get(batch);
    if (row === undefined || row.ended) return;
    for (const { member, waits } of orphans) {
      members.removeSync(member);
      waiting.removeSync(waits);
    }
    const count = orphans.length;
    rows.putSync(batch, { ...row, members: row.members - count, waiting: row.waiting - count });
    dropped += count;
  }

  while ((await exclusive(async () => page())) === PER_PAGE) await nextTurn();
  return dropped;
}
