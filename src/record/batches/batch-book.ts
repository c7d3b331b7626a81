import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RangeOptions } from 'lmdb';
import type { BatchEnd, BatchMissed, BatchState } from '../../domain/batch.ts';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { ManifestJournal } from '../../ledger/journal/manifest-journal.ts';
import { versionKey } from '../../ledger/ledger-codec.ts';
import type { LedgerEntry } from '../../ledger/ledger-entry.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import { type BatchEnds, openBatchEnds } from '../../ledger/tables/batch-ends.ts';
import { stateOf, statesIn } from '../../ledger/tables/batch-states.ts';
import {
  type BatchMember,
  type BatchRow,
  type BatchTables,
  genBytes,
  genIn,
  idInWaiting,
  memberKey,
  membersOf,
  numberIn,
  openBatchTables,
  waitingFor,
  waitingKey,
} from '../../ledger/tables/batch-tables.ts';
import { writeBatchManifest } from './batch-manifest.ts';

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
  discovered(batch: string, missed?: BatchMissed): void;
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

const PER_PAGE = 1_000;
const RETRY_MS = 2_000;

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
  const { source, ledger, journal, now, log } = options;
  const tables = openBatchTables(ledger);
  const ends = openBatchEnds(ledger);
  if (tables === null || ends === null) throw new Error('the ledger is open for reading only');
  const { rows, members, waiting } = tables;
  /** Id of every batch that is not put away, by its number. */
  const known = new Map<number, string>();
  let lastNumber = 0;
  for (const { key, value } of rows.getRange({})) {
    known.set(value.number, key);
    lastNumber = Math.max(lastNumber, value.number);
  }
  const waiters = new Map<string, ((end: BatchEnd) => void)[]>();
  const stopping = new AbortController();
  let begun = false;
  let ending: Promise<void> = Promise.resolve();

  ledger.alongside(keep);

  /** Inside the transaction that records it. */
  function keep(entry: LedgerEntry): void {
    if (known.size > 0) count(entry.id, entry.gen);
  }

  /** Whoever waited for this (version, generation) waits no longer. */
  function count(id: string, gen: number): void {
    for (const { key, value } of [...waiting.getRange(waitingFor(id))]) {
      const batch = known.get(numberIn(key));
      const row = batch === undefined ? undefined : rows.get(batch);
      if (batch === undefined || row === undefined || genIn(value) > gen) continue;
      waiting.removeSync(key);
      rows.putSync(batch, { ...row, waiting: row.waiting - 1 });
      if (row.discovered && row.waiting === 1) endSoon(batch);
    }
  }

  /** Never inside the transaction that made it possible: that may still fail. */
  function endSoon(batch: string): void {
    setImmediate(() => {
      if (begun && !stopping.signal.aborted) ending = ending.then(() => endIfDone(batch));
    });
  }

  /** One that cannot end keeps no other from ending. */
  async function endIfDone(batch: string): Promise<void> {
    if (stopping.signal.aborted) return;
    try {
      await end(batch);
    } catch (error) {
      log.warn({ source, batch, reason: reasonOf(error) }, 'a batch cannot be ended yet; trying again');
      setTimeout(endSoon, RETRY_MS, batch).unref();
    }
  }

  async function end(batch: string): Promise<void> {
    const row = rows.get(batch);
    if (row === undefined) return;
    if (!row.ended) {
      if (!row.discovered || row.waiting > 0) return;
      const { ended, dropped } = await written(batch, row);
      // Found while the manifest was written: it has to be written again.
      const isComplete = ledger.transact(() => {
        const { members: count, waiting: open } = rows.get(batch) ?? row;
        if (count !== ended.counts.discovered + dropped || open > 0) return false;
        ends?.add(ended);
        rows.putSync(batch, { ...row, ended: true });
        return true;
      });
      if (!isComplete) return endSoon(batch);
      log.info({ source, batch, ...ended.counts, manifest: ended.manifest }, 'batch completed');
      told(ended);
    }
    await putAway(batch, row.number);
  }

  async function written(batch: string, row: BatchRow): Promise<{ ended: BatchEnd; dropped: number }> {
    const { destination, manifest, startedAt } = row;
    const folder = row.folder === undefined ? {} : { folder: row.folder };
    const names = { batch, source, destination, ...folder, startedAt };
    const completedAt = new Date(now()).toISOString();
    const head = { v: 1, generatedAt: completedAt, ...names };
    const { counts, dropped, sha256 } = await writeBatchManifest({
      ...{ tables: tables as BatchTables, number: row.number, head, manifest, ledger, journal },
    });
    const ended = { ...names, completedAt, counts, missed: row.missed, manifest, manifestSha256: sha256 };
    return { dropped, ended: { v: 1, ...ended } };
  }

  /** Its manifest holds them now. */
  async function putAway(batch: string, number: number): Promise<void> {
    for (;;) {
      const keys = [...members.getKeys({ ...membersOf(number), limit: PER_PAGE })].map((key) =>
        Buffer.from(key),
      );
      ledger.transact(() => {
        for (const key of keys) members.removeSync(key);
        if (keys.length === 0) rows.removeSync(batch);
      });
      if (keys.length === 0) break;
      await nextTurn();
    }
    known.delete(number);
  }

  function told(end: BatchEnd): void {
    for (const tell of waiters.get(end.batch) ?? []) tell(end);
    waiters.delete(end.batch);
    try {
      options.onEnded(end);
    } catch (error) {
      log.error({ source, batch: end.batch, reason: reasonOf(error) }, 'what follows a batch failed');
    }
  }

  /** Commits that nobody told of: a command may have brought the ledger up while no owner ran. */
  async function catchUp(): Promise<void> {
    let after: Buffer | null = null;
    for (let seen = PER_PAGE; seen === PER_PAGE; await nextTurn()) {
      seen = 0;
      const done: BatchMember[] = [];
      const range: RangeOptions = after === null ? {} : { start: after, exclusiveStart: true };
      for (const { key, value } of waiting.getRange({ ...range, limit: PER_PAGE })) {
        seen += 1;
        after = Buffer.from(key);
        const id = idInWaiting(key);
        const gen = ledger.find(id)?.gen ?? -1;
        if (gen >= genIn(value)) done.push({ id, gen });
      }
      if (done.length === 0) continue;
      ledger.transact(() => {
        for (const { id, gen } of done) count(id, gen);
      });
    }
  }

  return {
    ends,

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

    walked(batch) {
      const row = rows.get(batch);
      if (row !== undefined && !row.walked)
        ledger.transact(() => rows.putSync(batch, { ...row, walked: true }));
    },

    discovered(batch, missed) {
      const row = rows.get(batch);
      if (row === undefined || row.ended) return;
      ledger.transact(() => rows.putSync(batch, { ...row, discovered: true, missed: missed ?? row.missed }));
      if (row.waiting === 0) endSoon(batch);
    },

    state(batch) {
      const row = rows.get(batch);
      return row === undefined || row.ended ? null : stateOf(source, batch, row);
    },

    list: () => statesIn(source, rows),

    ended(batch) {
      const end = ends.find(batch);
      if (end !== null) return Promise.resolve(end);
      return new Promise((resolve) => {
        waiters.set(batch, [...(waiters.get(batch) ?? []), resolve]);
      });
    },

    async begin() {
      await catchUp();
      begun = true;
      for (const [, batch] of known) endSoon(batch);
    },

    async stop() {
      begun = false;
      stopping.abort();
      await ending;
    },
  };
}
