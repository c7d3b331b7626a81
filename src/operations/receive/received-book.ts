import { join } from 'node:path';
import type { Log } from '../../domain/log.ts';
import type { Outcome, Receipt } from '../../domain/receipt.ts';
import type { LinePlace } from '../../ledger/journal/journal-reader.ts';
import { readPlace, readPlaces } from '../../ledger/journal/journal-reader.ts';
import { decodeReceipt } from '../../ledger/journal/receipt-codec.ts';
import type { StatusCounts } from '../../ledger/ledger.ts';
import { rememberManifest } from '../../ledger/store/ad-hoc-source.ts';
import { openSourceStore } from '../../ledger/store/source-store.ts';
import { type KeptAnswers, openKeptAnswers } from '../../ledger/tables/kept-answers.ts';
import { type KeyUsage, openKeyUsage } from '../../ledger/tables/key-usage.ts';
import { openReceivedIndex } from '../../ledger/tables/received-index.ts';
import { createMutex } from '../../platform/waiting/mutex.ts';
import { startRecorder } from '../../record/recorder.ts';

export type { StatusCounts } from '../../ledger/ledger.ts';
export type { KeptAnswer, KeptAnswers } from '../../ledger/tables/kept-answers.ts';
export type { KeyUsage } from '../../ledger/tables/key-usage.ts';

/** The internal source that files belong to which came in by HTTP. No configured source may have its name. */
export const GATEWAY_SOURCE = 'gateway';

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
  close(): Promise<void>;
}

/** The id in a receipt's path, which is `<id>/<name>`. */
export function receivedId(receipt: Pick<Receipt, 'path'>): string {
  return receipt.path.slice(0, receipt.path.indexOf('/'));
}

/** Receipts are read from the journal so many at a time. */
const PER_READ = 200;

/**
 * Opens it for the one process that may write it.
 * @throws SlipwayError what opening a source's store throws
 */
export async function openReceivedBook(dataDir: string, log: Log, now: () => number): Promise<ReceivedBook> {
  const manifest = join(dataDir, 'gateway.manifest.json');
  const store = await openSourceStore({ dataDir, source: GATEWAY_SOURCE, manifest, log });
  const { ledger, journal } = store;
  await rememberManifest(dataDir, { name: GATEWAY_SOURCE, path: join(dataDir, 'gateway'), manifest });
  const recorder = await startRecorder({
    ...{ ledger, journal, now, log, exclusive: createMutex() },
    // No queue behind it: what is recorded is handed over.
    finished: { take: async () => [], remove: async () => undefined },
    onRecorded: () => undefined,
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

  return {
    answers,
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

    find: async (id) => pending.get(id) ?? (await receiptAt(index.find(id))),

    async page({ destination, order, after, limit, purpose }) {
      const start = after === null ? null : index.find(after);
      if (after !== null && start === null) return null;
      const receipts: Receipt[] = [];
      const read = async (places: readonly LinePlace[]): Promise<void> => {
        for (const line of await readPlaces(journal.path, places)) {
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
    },

    async sameContent(destination, sha256, name) {
      const id = index.sameContent(destination, sha256, name);
      const receipt = id === null ? null : await receiptAt(index.find(id));
      return receipt?.status === 'uploaded' && receipt.sha256 === sha256 ? receipt : null;
    },

    async close() {
      await recorder.drained().catch(() => undefined);
      await recorder.stop();
      await store.close();
    },
  };
}
