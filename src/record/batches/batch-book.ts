/*
 * The life of a batch
 *
 * A batch is asked for (ledger/store/batch-spec.ts, or a folder dropped into a source), its files are found (intake/batch), uploaded like
 * any other, and once the last one has its receipt it ends. What is durable of it is a row in the ledger; everything
 * before the end may be done again after a kill, to the same effect.
 *
 *     open ─────▶ walked ─────▶ discovered ─────▶ manifest written ─────▶ ended ─────▶ put away
 *      │           │             │                 │                      │            │
 *      │           │             │                 │ fsync, no trace      │ one        │ members removed page by
 *      │           │             │ every file has  │ in the ledger yet:   │ transac-   │ page, then the row; its
 *      │           │             │ been found      │ a kill here, or a    │ tion: the  │ number may be used again
 *      │           │ the inputs were looked        │ late member, writes  │ row and a  │
 *      │           │ through: only other versions  │ it once more         │ place      │
 *      │           │ of what was found may join    │                      │ among the  │
 *      │ add: members, and those of them that      │                      │ ends       │
 *      │ wait for a receipt                        └── when `waiting` = 0 ┘            │
 *      └── a lost job, a restart: found again from the beginning, adding the same members and the same job ids
 *
 * - `members` and `waiting` are counted in the row. A member is added before its job exists; the transaction that records a receipt
 *   takes it off `waiting` (batch-members.ts), so no kill leaves the two apart. What was recorded before the batch is done at once.
 * - `discovered` with `waiting` = 0 is all that an end needs, so both ways there ask for it (batch-ending.ts): in a later turn of the
 *   event loop, one batch at a time, never inside the transaction that made it possible, which may still fail.
 * - The manifest is complete and durable before the end is said; the end holds its sha256. Webhooks read the ends behind the
 *   files (notify/outbox), `ingest` waits for `ended`.
 * - A member whose file is gone, with everything Redis held of it, can never get a receipt. Once nothing is in hand such
 *   members are taken out (batch-orphans.ts): better an end without them than none.
 * - Who follows a batch in another process reads its row and its end from the ledger, or asks the owner.
 */

import type { BatchEnd, BatchMissed, BatchState } from '../../domain/batch.ts';
import type { LeftOut } from '../../domain/left-out.ts';
import type { Log } from '../../domain/log.ts';
import type { ManifestJournal } from '../../ledger/journal/manifest-journal.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import { type BatchEnds, openBatchEnds } from '../../ledger/tables/batch-ends.ts';
import { stateOf, statesIn } from '../../ledger/tables/batch-states.ts';
import { type BatchMember, openBatchTables } from '../../ledger/tables/batch-tables.ts';
import { createBatchEnding } from './batch-ending.ts';
import { openBatchMembers } from './batch-members.ts';

export type { BatchMember } from '../../ledger/tables/batch-tables.ts';

export interface NewBatch {
  readonly batch: string;
  readonly destination: string;
  /** Absolute path of its manifest, `….manifest.json`. */
  readonly manifest: string;
  /** ISO time. */
  readonly startedAt: string;
  /** Name of the top folder that is the batch. */
  readonly folder?: string;
}

/**
 * The batches of one source, durable in its ledger. A batch is opened, its files are added as they are found, and once
 * all are found and each has its receipt, its manifest is written and it ends: once, whatever is killed meanwhile.
 * Everything here may be done again after a kill, to the same effect.
 */
export interface BatchBook {
  /** @returns `ended`: it has ended before, nothing is to be done for it any more */
  open(batch: NewBatch): 'open' | 'ended';
  /**
   * Files of an open batch, in one durable transaction: hand over some hundred at a time. One that is recorded already
   * (this generation, or a later one) counts as done. Passed over: what it has already, a batch that has ended.
   * @returns how many were new
   */
  add(batch: string, members: readonly BatchMember[]): number;
  /** Its inputs have been looked through: what `state` calls discovered, while the batch is still kept from ending. */
  walked(batch: string): void;
  /** Every file of it has been found. It may end before this returns control to the event loop's next turn, not sooner. */
  discovered(batch: string, missed?: BatchMissed, leftOut?: readonly LeftOut[]): void;
  /** null: unknown, or ended. */
  state(batch: string): BatchState | null;
  /** The open ones. */
  list(): BatchState[];
  /** Resolves when it has ended, its manifest durable. Never for one that is not opened. */
  ended(batch: string): Promise<BatchEnd>;
  readonly ends: BatchEnds;
  /** To be called once the ledger has followed its journal: finishes what a kill interrupted. */
  begin(): Promise<void>;
  /** Nothing ends any more; what could have ended does so at the next start. */
  stop(): Promise<void>;
}

/** To be opened before the recorder starts, so that it hears of every commit. */
export function openBatchBook(options: {
  readonly source: string;
  readonly ledger: Ledger;
  readonly journal: ManifestJournal;
  /** Told of every end, once it is durable. */
  readonly onEnded: (end: BatchEnd) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly log: Log;
}): BatchBook {
  const { source, ledger } = options;
  const tables = openBatchTables(ledger);
  const ends = openBatchEnds(ledger);
  if (tables === null || ends === null) throw new Error('the ledger is open for reading only');
  const { rows } = tables;
  /** Id of every batch that is not put away, by its number. */
  const known = new Map<number, string>();
  let lastNumber = 0;
  for (const { key, value } of rows.getRange({})) {
    known.set(value.number, key);
    lastNumber = Math.max(lastNumber, value.number);
  }
  const ending = createBatchEnding({
    ...{ ...options, tables, ends },
    onPutAway: (number) => void known.delete(number),
  });
  const members = openBatchMembers({ ledger, tables, known }, ending.soon);
  // Inside the transaction that records it.
  ledger.alongside(({ id, gen }) => {
    if (known.size > 0) members.count(id, gen);
  });

  return {
    ends,
    add: members.add,
    ended: ending.ended,
    stop: ending.stop,
    list: () => statesIn(source, rows),

    open({ batch, destination, manifest, startedAt, folder }) {
      if (ends.find(batch) !== null) return 'ended';
      if (rows.get(batch) !== undefined) return 'open';
      const number = ++lastNumber;
      const said = { destination, manifest, startedAt, ...(folder === undefined ? {} : { folder }) };
      const flags = { walked: false, discovered: false, ended: false };
      ledger.transact(() => rows.putSync(batch, { number, ...said, members: 0, waiting: 0, ...flags }));
      known.set(number, batch);
      return 'open';
    },

    walked(batch) {
      const row = rows.get(batch);
      if (row !== undefined && !row.walked)
        ledger.transact(() => rows.putSync(batch, { ...row, walked: true }));
    },

    discovered(batch, missed, leftOut) {
      const row = rows.get(batch);
      if (row === undefined || row.ended) return;
      const said = { missed: missed ?? row.missed, leftOut: leftOut ?? row.leftOut };
      ledger.transact(() => rows.putSync(batch, { ...row, discovered: true, ...said }));
      if (row.waiting === 0) ending.soon(batch);
    },

    state(batch) {
      const row = rows.get(batch);
      return row === undefined || row.ended ? null : stateOf(source, batch, row);
    },

    async begin() {
      await members.catchUp();
      ending.begin();
      for (const [, batch] of known) ending.soon(batch);
    },
  };
}
