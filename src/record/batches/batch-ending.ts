import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BatchEnd } from '../../domain/batch.ts';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { ManifestJournal } from '../../ledger/journal/manifest-journal.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import type { BatchEnds } from '../../ledger/tables/batch-ends.ts';
import { type BatchRow, type BatchTables, membersOf } from '../../ledger/tables/batch-tables.ts';
import { writeBatchManifest } from './batch-manifest.ts';

/** How batches end, one after the other: the manifest, then the end, then its members are put away. */
export interface BatchEnding {
  /** Looks whether it can end, in a later turn. Never in the transaction that made it possible: that may still fail. */
  soon(batch: string): void;
  /** Resolves when it has ended, its manifest durable. */
  ended(batch: string): Promise<BatchEnd>;
  begin(): void;
  /** Nothing ends any more. */
  stop(): Promise<void>;
}

export interface BatchEndingOptions {
  readonly source: string;
  readonly ledger: Ledger;
  readonly journal: ManifestJournal;
  readonly tables: BatchTables;
  readonly ends: BatchEnds;
  /** Told of every end, once it is durable. */
  readonly onEnded: (end: BatchEnd) => void;
  /** No trace of it is left but its end. */
  readonly onPutAway: (number: number) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly log: Log;
}

const PER_PAGE = 1_000;
const RETRY_MS = 2_000;

/** Nothing ends before it has begun. */
export function createBatchEnding(options: BatchEndingOptions): BatchEnding {
  const { source, ledger, tables, ends, log } = options;
  const { rows } = tables;
  const waiters = new Map<string, ((end: BatchEnd) => void)[]>();
  const stopping = new AbortController();
  let begun = false;
  let ending: Promise<void> = Promise.resolve();

  function soon(batch: string): void {
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
      setTimeout(soon, RETRY_MS, batch).unref();
    }
  }

  async function end(batch: string): Promise<void> {
    const row = rows.get(batch);
    if (row === undefined) return;
    if (!row.ended) {
      if (!row.discovered || row.waiting > 0) return;
      const { ended, dropped } = await writtenEnd(batch, row, options);
      // Found while the manifest was written: it has to be written again.
      const isComplete = ledger.transact(() => {
        const { members, waiting } = rows.get(batch) ?? row;
        if (members !== ended.counts.discovered + dropped || waiting > 0) return false;
        ends.add(ended);
        rows.putSync(batch, { ...row, ended: true });
        return true;
      });
      if (!isComplete) return soon(batch);
      log.info({ source, batch, ...ended.counts, manifest: ended.manifest }, 'batch completed');
      tell(ended);
    }
    await putAway(batch, row.number, options);
    options.onPutAway(row.number);
  }

  function tell(end: BatchEnd): void {
    for (const waiter of waiters.get(end.batch) ?? []) waiter(end);
    waiters.delete(end.batch);
    try {
      options.onEnded(end);
    } catch (error) {
      log.error({ source, batch: end.batch, reason: reasonOf(error) }, 'what follows a batch failed');
    }
  }

  return {
    soon,
    ended(batch) {
      const end = ends.find(batch);
      if (end !== null) return Promise.resolve(end);
      return new Promise((resolve) => {
        waiters.set(batch, [...(waiters.get(batch) ?? []), resolve]);
      });
    },
    begin() {
      begun = true;
    },
    async stop() {
      begun = false;
      stopping.abort();
      await ending;
    },
  };
}

async function writtenEnd(
  batch: string,
  row: BatchRow,
  { source, tables, ledger, journal, now }: BatchEndingOptions,
): Promise<{ ended: BatchEnd; dropped: number }> {
  const { destination, manifest, startedAt } = row;
  const folder = row.folder === undefined ? {} : { folder: row.folder };
  const names = { batch, source, destination, ...folder, startedAt };
  const completedAt = new Date(now()).toISOString();
  const head = { v: 1, generatedAt: completedAt, ...names };
  const { counts, dropped, sha256 } = await writeBatchManifest({
    ...{ tables, number: row.number, head, leftOut: row.leftOut ?? [], manifest, ledger, journal },
  });
  const ended = { ...names, completedAt, counts, missed: row.missed, manifest, manifestSha256: sha256 };
  return { dropped, ended: { v: 1, ...ended } };
}

/** Its manifest holds them now. */
async function putAway(
  batch: string,
  number: number,
  { ledger, tables }: Pick<BatchEndingOptions, 'ledger' | 'tables'>,
): Promise<void> {
  const { rows, members } = tables;
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
}
