import { hash } from 'node:crypto';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { type PathName, topFolderOf } from '../../domain/path-bytes.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import type { Exclusive } from '../../platform/waiting/mutex.ts';
import type { BatchBook } from './batch-book.ts';
import { dropOrphans } from './batch-orphans.ts';

/** A job, or anything else that a file version is about to get its receipt from. */
export interface Assignable {
  /** Of the file version. */
  readonly id: string;
  readonly job: PathName & { readonly gen: number; readonly batch: string | null };
}

/** Every folder dropped into a source is a batch (`batch: { by: topFolder }`): which one is open, and when it ends. */
export interface FolderBatches {
  /**
   * Puts jobs into the batches of their top folders, beginning those that are not open; durable. To be called inside
   * the source's mutex, before the jobs are queued.
   */
  assign<Item extends Assignable>(items: readonly Item[]): Item[];
  /** Something is new in a folder: its batch does not end now. */
  stirred(folder: PathName): void;
  /** Nothing has come for a while, and all that lies there is recorded or queued: it ends once all is recorded. */
  quiet(folder: PathName): void;
  /** Something was recorded. */
  recorded(): void;
  /** The folders whose batches are open. */
  folders(): PathName[];
  /** Resolves when no batch is open and all have ended; rejects when the signal fires. */
  settled(signal: AbortSignal): Promise<void>;
}

interface OpenBatch {
  readonly batch: string;
  readonly folder: PathName;
  readonly startedAtMs: number;
}

interface FolderBatchFacts {
  readonly source: string;
  readonly destination: string;
  readonly ledger: Ledger;
  readonly batchBook: BatchBook;
  /** Absolute path of a batch's manifest. */
  readonly manifestOf: (batch: string) => string;
  readonly isPending: (jobId: string) => boolean;
  /** The source's mutex. */
  readonly exclusive: Exclusive;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly log: Log;
}

/** What is open now. */
interface Open extends FolderBatchFacts {
  readonly table: ReturnType<typeof tableOf>;
  readonly batches: Map<string, OpenBatch>;
  /** Of those, the ones that end as soon as all of them is recorded. */
  readonly quiet: Set<string>;
  readonly endings: Set<Promise<unknown>>;
  readonly waiters: Set<() => void>;
}

/** To be opened once the keeper has begun. A batch that was open goes on; its quiet time begins anew. */
export function openFolderBatches(options: FolderBatchFacts): FolderBatches {
  const { source, ledger, batchBook, log } = options;
  const table = tableOf(ledger);
  const open: Open = {
    ...{ ...options, table, batches: new Map(), quiet: new Set() },
    ...{ endings: new Set(), waiters: new Set() },
  };
  for (const { key, value } of table.getRange({})) {
    // One that was told to end has no more files to come; a kill came before it was forgotten here.
    if (batchBook.ends.find(value.batch) !== null || batchBook.state(value.batch)?.discovered === true)
      table.removeSync(key);
    else open.batches.set(key, begun(open, value));
  }

  return {
    assign: (items) => assign(open, items),
    stirred: (folder) => void open.quiet.delete(keyOf(folder)),
    quiet(folder) {
      const key = keyOf(folder);
      const found = open.batches.get(key);
      if (found === undefined) return;
      open.quiet.add(key);
      becomesQuiet(open, key, found).catch((error: unknown) =>
        log.warn({ source, batch: found.batch, reason: reasonOf(error) }, 'a batch cannot be ended yet'),
      );
    },
    recorded() {
      for (const key of [...open.quiet]) endIfRecorded(open, key);
    },
    folders: () => [...open.batches.values()].map(({ folder }) => folder),
    settled: (signal) => untilNoneIsOpen(open, signal),
  };
}

function assign<Item extends Assignable>(open: Open, items: readonly Item[]): Item[] {
  const members = new Map<string, { readonly id: string; readonly gen: number }[]>();
  const assigned = items.map((item) => {
    const folder = topFolderOf(item.job);
    // What was ingested belongs to that batch.
    if (folder === null || item.job.batch !== null) return item;
    const key = keyOf(folder);
    const { batch } = open.batches.get(key) ?? begin(open, key, folder);
    open.quiet.delete(key);
    members.set(batch, [...(members.get(batch) ?? []), { id: item.id, gen: item.job.gen }]);
    return { ...item, job: { ...item.job, batch } };
  });
  for (const [batch, found] of members) open.batchBook.add(batch, found);
  return assigned;
}

function begun({ batchBook, destination, manifestOf }: Open, batch: OpenBatch): OpenBatch {
  const { startedAtMs, folder } = batch;
  const startedAt = new Date(startedAtMs).toISOString();
  batchBook.open({
    ...{ batch: batch.batch, destination, startedAt, folder: folder.path },
    manifest: manifestOf(batch.batch),
  });
  return batch;
}

/** First written down here: whoever is killed before it is open opens it at the next start. */
function begin(open: Open, key: string, folder: PathName): OpenBatch {
  const { source, ledger, batchBook, table, now, log } = open;
  let startedAtMs = now();
  while (batchBook.ends.find(idOf(source, key, startedAtMs)) !== null) startedAtMs += 1;
  const batch: OpenBatch = { batch: idOf(source, key, startedAtMs), folder, startedAtMs };
  ledger.transact(() => table.putSync(key, batch));
  open.batches.set(key, begun(open, batch));
  log.info({ source, batch: batch.batch, folder: folder.path }, 'batch begun');
  return batch;
}

async function becomesQuiet(open: Open, key: string, { batch, folder }: OpenBatch): Promise<void> {
  const { source, batchBook, log } = open;
  const state = batchBook.state(batch);
  if (state !== null && state.done < state.members) {
    const orphans = await dropOrphans({ ...open, batch });
    if (orphans > 0)
      log.warn(
        { source, batch, folder: folder.path, files: orphans },
        'files of a batch went away before they were sent: they are no part of it',
      );
  }
  if (open.quiet.has(key)) endIfRecorded(open, key);
}

function endIfRecorded(open: Open, key: string): void {
  const { batches, quiet, endings, waiters, batchBook, ledger, table } = open;
  const found = batches.get(key);
  const state = found === undefined ? null : batchBook.state(found.batch);
  if (found === undefined || state === null || state.done < state.members) return;
  // From here on a file in this folder begins another batch.
  batches.delete(key);
  quiet.delete(key);
  const ended = batchBook.ended(found.batch).finally(() => endings.delete(ended));
  endings.add(ended);
  batchBook.discovered(found.batch);
  ledger.transact(() => table.removeSync(key));
  for (const tell of waiters) tell();
  waiters.clear();
}

async function untilNoneIsOpen({ batches, waiters, endings }: Open, signal: AbortSignal): Promise<void> {
  while (batches.size > 0) {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    waiters.add(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
  }
  await Promise.all(endings);
}

/** Folders are batches no more: those that are open get no more files, and end once all of them is recorded. */
export function closeFolderBatches(ledger: Ledger, batchBook: BatchBook): void {
  const table = tableOf(ledger);
  for (const { key, value } of [...table.getRange({})]) {
    batchBook.discovered(value.batch);
    ledger.transact(() => table.removeSync(key));
  }
}

function tableOf(ledger: Ledger) {
  const table = ledger.table<OpenBatch, string>('folder-batches');
  if (table === null) throw new Error('the ledger is open for reading only');
  return table;
}

/** Two folders whose names are not UTF-8 may look alike. */
function keyOf(folder: PathName): string {
  return folder.pathBytes === undefined ? `/${folder.path}` : `:${folder.pathBytes}`;
}

/** `b` and 32 hex: the same folder gets another id whenever it begins another batch. */
function idOf(source: string, key: string, startedAtMs: number): string {
  return `b${hash('sha256', `${source}\0${key}\0${startedAtMs}`, 'hex').slice(0, 32)}`;
}
