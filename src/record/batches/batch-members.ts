import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RangeOptions } from 'lmdb';
import { versionKey } from '../../ledger/ledger-codec.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import {
  type BatchMember,
  type BatchTables,
  genBytes,
  genIn,
  idInWaiting,
  memberKey,
  numberIn,
  waitingFor,
  waitingKey,
} from '../../ledger/tables/batch-tables.ts';

/** Which file versions belong to the open batches of a source, and which of them wait for their receipts. */
export interface BatchMembers {
  /** Durable when it returns: see `BatchBook.add`. */
  add(batch: string, found: readonly BatchMember[]): number;
  /** This (version, generation) is recorded: whoever waited for it waits no longer. Inside a transaction. */
  count(id: string, gen: number): void;
  /** Commits that nobody told of: a command may have brought the ledger up while no owner ran. */
  catchUp(): Promise<void>;
}

const PER_PAGE = 1_000;

/**
 * @param parts.known id of every batch that is not put away, by its number
 * @param onComplete told of a batch that waits for none and has been found whole; inside the transaction
 */
export function openBatchMembers(
  parts: {
    readonly ledger: Ledger;
    readonly tables: BatchTables;
    readonly known: ReadonlyMap<number, string>;
  },
  onComplete: (batch: string) => void,
): BatchMembers {
  const { ledger, tables, known } = parts;
  const { rows, members, waiting } = tables;

  function count(id: string, gen: number): void {
    for (const { key, value } of [...waiting.getRange(waitingFor(id))]) {
      const batch = known.get(numberIn(key));
      const row = batch === undefined ? undefined : rows.get(batch);
      if (batch === undefined || row === undefined || genIn(value) > gen) continue;
      waiting.removeSync(key);
      rows.putSync(batch, { ...row, waiting: row.waiting - 1 });
      if (row.discovered && row.waiting === 1) onComplete(batch);
    }
  }

  /** Of a page of those that wait, the ones that are recorded. */
  function recordedAmong(range: RangeOptions): { done: BatchMember[]; seen: number; last: Buffer | null } {
    const done: BatchMember[] = [];
    let seen = 0;
    let last: Buffer | null = null;
    for (const { key, value } of waiting.getRange({ ...range, limit: PER_PAGE })) {
      seen += 1;
      last = Buffer.from(key);
      const id = idInWaiting(key);
      const gen = ledger.find(id)?.gen ?? -1;
      if (gen >= genIn(value)) done.push({ id, gen });
    }
    return { done, seen, last };
  }

  return {
    count,

    add(batch, found) {
      if (found.length === 0) return 0;
      return ledger.transact(() => {
        const row = rows.get(batch);
        if (row === undefined || row.ended) return 0;
        let added = 0;
        let open = 0;
        for (const { id, gen } of found) {
          const version = versionKey(id);
          const key = memberKey(row.number, version);
          const before = members.get(key);
          if (before !== undefined && genIn(before) >= gen) continue;
          if (before === undefined) added += 1;
          members.putSync(key, genBytes(gen));
          if ((ledger.find(id)?.gen ?? -1) >= gen) continue;
          const waits = waitingKey(version, row.number);
          if (waiting.get(waits) === undefined) open += 1;
          waiting.putSync(waits, genBytes(gen));
        }
        if (added + open > 0)
          rows.putSync(batch, { ...row, members: row.members + added, waiting: row.waiting + open });
        return added;
      });
    },

    async catchUp() {
      let after: Buffer | null = null;
      for (let seen = PER_PAGE; seen === PER_PAGE; await nextTurn()) {
        const range: RangeOptions = after === null ? {} : { start: after, exclusiveStart: true };
        const page = recordedAmong(range);
        seen = page.seen;
        after = page.last;
        if (page.done.length === 0) continue;
        ledger.transact(() => {
          for (const { id, gen } of page.done) count(id, gen);
        });
      }
    },
  };
}
