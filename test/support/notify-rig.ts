/** A notifier over a real store; receipts are recorded by hand. */
import { onTestFinished, vi } from 'vitest';
import type { BatchEnd } from '../../src/domain/batch.ts';
import type { Outcome, Receipt } from '../../src/domain/receipt.ts';
import { encodeReceipt } from '../../src/ledger/journal/receipt-codec.ts';
import { ledgerEntryOf } from '../../src/ledger/ledger-entry.ts';
import type { SourceStore } from '../../src/ledger/store/source-store.ts';
import { openBatchEnds } from '../../src/ledger/tables/batch-ends.ts';
import type { Endpoint } from '../../src/notify/endpoint/endpoint.ts';
import {
  NOTIFY_TIMING,
  type Notifier,
  type NotifierOptions,
  startNotifier,
} from '../../src/notify/notifier.ts';
import { rememberingLog, storeIn, testFolder } from './record-rig.ts';
import { uploadedOutcome } from './upload-job.ts';
import { SECRET } from './webhook-receiver.ts';

export function endpointTo(url: string, change: Partial<Endpoint> & { secrets?: string[] } = {}): Endpoint {
  const { secrets = [SECRET], ...rest } = change;
  return {
    name: 'pipeline',
    target: { kind: 'http', url, secrets, headers: {} },
    events: ['file.uploaded', 'file.failed', 'batch.completed'],
    batch: null,
    concurrency: 10,
    timeoutMs: 5_000,
    ...rest,
  };
}

/** Retries at once, so that a test need not wait for hours. */
export const QUICK = {
  ...NOTIFY_TIMING,
  scheduleMs: Array(10).fill(20),
  spacingMs: 10,
  pollMs: 50,
};

export const SENDERS: NotifierOptions['senders'] = {
  http: { connectTimeoutMs: 2_000, caFile: null, proxies: { http: null, https: null, no: null } },
  env: process.env,
};

export interface NotifyRig {
  readonly folder: string;
  readonly log: ReturnType<typeof rememberingLog>;
  readonly store: SourceStore;
  /** Records receipts, as the recorder would, and tells the notifier. */
  record(paths: readonly string[], change?: Partial<Receipt>): Promise<Receipt[]>;
  endBatch(batch: string): BatchEnd;
  start(endpoints: readonly Endpoint[], change?: Partial<NotifierOptions>): Promise<Notifier>;
  /** Stops the notifier and opens the store anew, as another process would. */
  reopen(): Promise<void>;
  notifier(): Notifier;
}

export async function notifyRig(): Promise<NotifyRig> {
  const folder = testFolder();
  const log = rememberingLog();
  let store = await storeIn(folder, log);
  let notifier: Notifier | null = null;
  async function stop(): Promise<void> {
    await notifier?.close();
    notifier = null;
  }

  onTestFinished(async () => {
    await stop();
    await store.close();
  });

  return {
    folder,
    log,
    get store() {
      return store;
    },
    notifier() {
      if (notifier === null) throw new Error('no notifier');
      return notifier;
    },

    async record(paths, change = {}) {
      const receipts = paths.map((path) => receiptFor(path, change));
      await recordReceipts(store, receipts);
      notifier?.wake();
      return receipts;
    },

    endBatch(batch) {
      const end = batchEndOf(batch);
      store.ledger.transact(() => openBatchEnds(store.ledger)?.add(end));
      notifier?.wake();
      return end;
    },

    async start(endpoints, change = {}) {
      await stop();
      notifier = await startNotifier({
        ...{ source: 'inbox', endpoints, store, intentOf: undefined, senders: SENDERS },
        ...{ timing: QUICK, log, now: Date.now },
        ...change,
      });
      return notifier;
    },

    async reopen() {
      await stop();
      await store.close();
      store = await storeIn(folder, log);
    },
  };
}

export function receiptFor(path: string, change: Partial<Receipt> = {}): Receipt {
  const outcome: Outcome = uploadedOutcome(path);
  return { ...outcome, recordedAt: new Date().toISOString(), ...change };
}

export async function recordReceipts(store: SourceStore, receipts: readonly Receipt[]): Promise<void> {
  const { journal, ledger } = store;
  const places = await journal.append(receipts.map(encodeReceipt));
  const entries = receipts.flatMap((receipt, index) => {
    const place = places[index];
    return place === undefined ? [] : [ledgerEntryOf(receipt, place)];
  });
  ledger.commit(entries, journal.size());
}

export function batchEndOf(batch: string): BatchEnd {
  return {
    v: 1,
    batch,
    source: 'inbox',
    destination: 'demo',
    counts: { discovered: 3, uploaded: 2, failed: 1, skipped: 0 },
    startedAt: '2026-11-22T01:00:00.000Z',
    completedAt: '2026-11-22T01:00:07.500Z',
    manifest: '/somewhere/batches/b1.manifest.json',
    manifestSha256: 'a'.repeat(64),
  };
}

/** Until a condition holds; says why it does not when time is up. */
export async function until(condition: () => void, timeoutMs = 15_000): Promise<void> {
  await vi.waitFor(condition, { timeout: timeoutMs, interval: 10 });
}

export function paths(count: number, prefix = 'file'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}.pdf`);
}
