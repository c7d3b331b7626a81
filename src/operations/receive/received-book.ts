import { join } from 'node:path';
import type { Log } from '../../domain/log.ts';
import type { Outcome, Receipt } from '../../domain/receipt.ts';
import { GATEWAY_SOURCE, receivedIdIn } from '../../domain/received-source.ts';
import type { LinePlace } from '../../ledger/journal/journal-reader.ts';
import { readPlace, readPlaces } from '../../ledger/journal/journal-reader.ts';
import { decodeReceipt } from '../../ledger/journal/receipt-codec.ts';
import type { StatusCounts } from '../../ledger/ledger.ts';
import { rememberManifest } from '../../ledger/store/ad-hoc-source.ts';
import { openSourceStore, type SourceStore } from '../../ledger/store/source-store.ts';
import {
  type AcceptedFile,
  type AcceptedFiles,
  openAcceptedFiles,
} from '../../ledger/tables/accepted-files.ts';
import { type KeptAnswers, openKeptAnswers } from '../../ledger/tables/kept-answers.ts';
import { type KeyUsage, openKeyUsage } from '../../ledger/tables/key-usage.ts';
import { openReceivedIndex, type ReceivedIndex } from '../../ledger/tables/received-index.ts';
import { type Notifier, startNotifier } from '../../notify/notifier.ts';
import { createMutex, type Exclusive } from '../../platform/waiting/mutex.ts';
import type { FinishedJobs } from '../../record/finished-jobs.ts';
import { type Recorder, startRecorder } from '../../record/recorder.ts';
import type { RecorderState } from '../../record/recorder-state.ts';
import type { NotifyOptions } from '../../runtime/owner/keep-records.ts';

export { GATEWAY_SOURCE } from '../../domain/received-source.ts';
export type { StatusCounts } from '../../ledger/ledger.ts';
export type { KeptAnswer, KeptAnswers } from '../../ledger/tables/kept-answers.ts';
export type { KeyUsage } from '../../ledger/tables/key-usage.ts';

/** One page of what a destination was given. */
export interface ReceivedPage {
  readonly receipts: readonly Receipt[];
  readonly hasMore: boolean;
}

export interface PageQuery {
  readonly destination: string;
  readonly order: 'asc' | 'desc';
  /** Id of the file behind which it begins; null: at the end of the list that comes first. */
  readonly after: string | null;
  readonly limit: number;
  readonly purpose: string | null;
}

/** What is kept of files that came in by HTTP: receipts like those of any source, found by the door's own ids. */
export interface ReceivedBook {
  /** Resolves when it is durable; found from now on. */
  record(outcome: Outcome): Promise<void>;
  /** @param id `file-…` */
  find(id: string): Promise<Receipt | null>;
  /** null: nothing is known of `after`. */
  page(query: PageQuery): Promise<ReceivedPage | null>;
  /** The upload of the same bytes under the same name; null: none is recorded. */
  sameContent(destination: string, sha256: string, name: string): Promise<Receipt | null>;
  readonly answers: KeptAnswers;
  /** What API keys have used. */
  readonly usage: KeyUsage;
  /** The latest receipt of each file. */
  counts(): StatusCounts;
  /** Files that are to be sent later, and those whose sending has failed. */
  readonly accepted: AcceptedFiles;
  /** How a file stands, whether it was sent while its caller waited or is to be; null: nothing is known of it. */
  stateOf(id: string): Promise<ReceivedState | null>;
  /** What whoever works off the accepted ones shares with it. */
  readonly owned: OwnedBook;
  /** Told after every commit. */
  onRecorded(listener: Recorded): void;
  /** Told whether receipts can be kept. */
  onState(listener: (state: RecorderState) => void): void;
  /** From now on results of jobs are recorded too; null: no more. */
  results(from: FinishedJobs | null): void;
  close(): Promise<void>;
}

type Recorded = (receipts: readonly Receipt[], jobIds: readonly string[]) => void;

/** How a file stands that came in by HTTP. */
export type ReceivedState =
  | { readonly kind: 'waiting'; readonly file: AcceptedFile }
  | { readonly kind: 'ended'; readonly receipt: Receipt; readonly bytesKept: boolean };

/** The parts of the book. */
export interface OwnedBook {
  readonly manifest: string;
  readonly store: SourceStore;
  readonly recorder: Recorder;
  readonly exclusive: Exclusive;
  /** null: nobody is told. */
  readonly notifier: Notifier | null;
}

/** The id in a receipt's path, which is `<id>/<name>`. */
export function receivedId(receipt: Pick<Receipt, 'path'>): string {
  return receipt.path.slice(0, receipt.path.indexOf('/'));
}

/** Receipts are read from the journal so many at a time. */
const PER_READ = 200;

const NO_JOBS: FinishedJobs = { take: async () => [], remove: async () => undefined };

/**
 * Opens it for the one process that may write it.
 * @param telling who is told of what is recorded; null: nobody
 * @throws SlipwayError what opening a source's store throws
 */
export async function openReceivedBook(
  dataDir: string,
  log: Log,
  now: () => number,
  telling: NotifyOptions | null = null,
): Promise<ReceivedBook> {
  const manifest = join(dataDir, 'gateway.manifest.json');
  const store = await openSourceStore({ dataDir, source: GATEWAY_SOURCE, manifest, log });
  const { ledger, journal } = store;
  await rememberManifest(dataDir, { name: GATEWAY_SOURCE, path: join(dataDir, 'gateway'), manifest });
  const notifier = await notifierOf(store, telling, log, now);
  const exclusive = createMutex();
  const accepted = openAcceptedFiles(ledger);
  const heard = { recorded: listeners<Parameters<Recorded>>(), state: listeners<[RecorderState]>() };
  let finished = NO_JOBS;
  const recorder = await startRecorder({
    ...{ ledger, journal, now, log, exclusive },
    finished: { take: (max) => finished.take(max), remove: (jobIds) => finished.remove(jobIds) },
    finish: (outcome) => withMeta(outcome, accepted),
    onRecorded(receipts, jobIds) {
      notifier?.wake();
      heard.recorded.tell(receipts, jobIds);
    },
    onState: heard.state.tell,
  });
  const index = await openReceivedIndex(ledger, journal.path);
  const answers = openKeptAnswers(ledger);
  answers.prune(now());
  /** Handed over and not durable yet. */
  const pending = new Map<string, Receipt>();

  async function receiptAt(place: LinePlace | null): Promise<Receipt | null> {
    const line = place === null ? null : await readPlace(journal.path, place);
    return line === null ? null : decodeReceipt(line.toString('utf8'));
  }

  const find = async (id: string): Promise<Receipt | null> =>
    pending.get(id) ?? (await receiptAt(index.find(id)));

  return {
    ...{ answers, accepted, owned: { manifest, store, recorder, exclusive, notifier } },
    ...{ onRecorded: heard.recorded.add, onState: heard.state.add },
    results(from) {
      finished = from ?? NO_JOBS;
      recorder.wake();
    },
    usage: openKeyUsage(ledger),
    counts: () => ledger.counts().latest,

    async record(outcome) {
      const id = receivedId(outcome);
      pending.set(id, { ...outcome, recordedAt: new Date(now()).toISOString() });
      try {
        await recorder.settle([outcome]);
      } finally {
        pending.delete(id);
      }
    },

    find,

    stateOf: (id) => stateOf(id, accepted, find),
    page: (query) => pageOf(query, index, journal.path),

    async sameContent(destination, sha256, name) {
      const id = index.sameContent(destination, sha256, name);
      const receipt = id === null ? null : await receiptAt(index.find(id));
      return receipt?.status === 'uploaded' && receipt.sha256 === sha256 ? receipt : null;
    },

    async close() {
      await recorder.drained().catch(() => undefined);
      await recorder.stop();
      await notifier?.close();
      await store.close();
    },
  };
}

async function stateOf(
  id: string,
  accepted: AcceptedFiles,
  find: ReceivedBook['find'],
): Promise<ReceivedState | null> {
  // Read before the receipt: what is settled meanwhile has one.
  const file = accepted.find(id);
  const receipt = await find(id);
  if (file !== null && (receipt === null || receipt.gen < file.gen)) return { kind: 'waiting', file };
  return receipt === null ? null : { kind: 'ended', receipt, bytesKept: file !== null };
}

async function pageOf(
  { destination, order, after, limit, purpose }: PageQuery,
  index: ReceivedIndex,
  journal: string,
): Promise<ReceivedPage | null> {
  const start = after === null ? null : index.find(after);
  if (after !== null && start === null) return null;
  const receipts: Receipt[] = [];
  const read = async (places: readonly LinePlace[]): Promise<void> => {
    for (const line of await readPlaces(journal, places)) {
      const receipt = line === null ? null : decodeReceipt(line.toString('utf8'));
      if (receipt === null || receipt.status !== 'uploaded') continue;
      if (purpose === null || receipt.meta?.purpose === purpose) receipts.push(receipt);
    }
  };
  let places: LinePlace[] = [];
  for (const place of index.list(destination, order, start)) {
    places.push(place);
    if (places.length < PER_READ) continue;
    await read(places);
    places = [];
    if (receipts.length > limit) break;
  }
  await read(places);
  return { receipts: receipts.slice(0, limit), hasMore: receipts.length > limit };
}

async function notifierOf(
  store: SourceStore,
  telling: NotifyOptions | null,
  log: Log,
  now: () => number,
): Promise<Notifier | null> {
  const endpoints = telling?.endpointsOf(GATEWAY_SOURCE) ?? [];
  if (telling === null || endpoints.length === 0) return null;
  return await startNotifier({
    ...{ ...telling, endpoints, source: GATEWAY_SOURCE, store, intentOf: undefined, log, now },
  });
}

function listeners<Told extends readonly unknown[]>(): {
  readonly add: (listener: (...told: Told) => void) => void;
  readonly tell: (...told: Told) => void;
} {
  const all: ((...told: Told) => void)[] = [];
  return {
    add: (listener) => void all.push(listener),
    tell(...told) {
      for (const hear of all) hear(...told);
    },
  };
}

/** What its caller said of it does not go through Redis. */
function withMeta(outcome: Outcome, accepted: AcceptedFiles): Outcome {
  const file = outcome.meta === undefined ? accepted.find(receivedIdIn(outcome.path) ?? '') : null;
  return file === null ? outcome : { ...outcome, meta: file.meta };
}
