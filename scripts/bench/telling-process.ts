/**
 * The notifier of one source in a process of its own: records so many receipts by itself, as fast as they are taken, and
 * ends once all are told. Argument: a task as JSON. Killed and started again it goes on where it was.
 */
import { silentLog } from '../../src/domain/log.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import { encodeReceipt } from '../../src/ledger/journal/receipt-codec.ts';
import { ledgerEntryOf } from '../../src/ledger/ledger-entry.ts';
import { openSourceStore } from '../../src/ledger/store/source-store.ts';
import { NOTIFY_TIMING, startNotifier } from '../../src/notify/notifier.ts';
import { SECRET } from './webhook-receiver.ts';

export interface TellingTask {
  readonly folder: string;
  readonly url: string;
  readonly receipts: number;
  /** null: one by one. */
  readonly maxItems: number | null;
  /** What the retry schedule is multiplied by: nobody waits for days here. */
  readonly scheduleShare: number;
}

const PER_COMMIT = 500;
const SETTLED_EVERY_MS = 200;

async function tell({ folder, url, receipts, maxItems, scheduleShare }: TellingTask): Promise<void> {
  const dataDir = `${folder}/data`;
  const store = await openSourceStore({
    ...{ dataDir, source: 'bench', manifest: `${folder}/bench.manifest.json`, log: silentLog },
  });
  const notifier = await startNotifier({
    source: 'bench',
    endpoints: [
      {
        name: 'bench',
        target: { kind: 'http', url, secrets: [SECRET], headers: {} },
        events: ['file.uploaded'],
        batch: maxItems === null ? null : { maxItems, maxWait: 1_000 },
        concurrency: 10,
        timeoutMs: 15_000,
      },
    ],
    ...{ store, intentOf: undefined, log: silentLog, now: Date.now },
    senders: {
      http: { connectTimeoutMs: 5_000, caFile: null, proxies: { http: null, https: null, no: null } },
      env: process.env,
    },
    timing: { ...NOTIFY_TIMING, scheduleMs: NOTIFY_TIMING.scheduleMs.map((ms) => ms * scheduleShare) },
  });
  const { ledger, journal } = store;
  for (let done = ledger.counts().total.uploaded; done < receipts; done += PER_COMMIT) {
    const batch = Array.from({ length: Math.min(PER_COMMIT, receipts - done) }, (_, at) =>
      receiptOf(done + at),
    );
    const places = await journal.append(batch.map(encodeReceipt));
    const entries = batch.flatMap((receipt, at) => {
      const place = places[at];
      return place === undefined ? [] : [ledgerEntryOf(receipt, place)];
    });
    ledger.commit(entries, journal.size());
    notifier.wake();
  }
  const isTold = (): boolean =>
    notifier.report().every(({ pending, behindBytes }) => pending + behindBytes === 0);
  while (!isTold()) await new Promise((resolve) => setTimeout(resolve, SETTLED_EVERY_MS));
  await notifier.close();
  await store.close();
}

function receiptOf(index: number): Receipt {
  const at = new Date().toISOString();
  const name = `folder/document-${String(index).padStart(8, '0')}.pdf`;
  const url = `https://files.example/objects/0123456789abcdef/${name}`;
  return {
    ...{ v: 1, id: `f${index.toString(16).padStart(32, '0')}`, source: 'bench', path: name, gen: 0 },
    ...{ status: 'uploaded', destination: 'bench', url, fileId: `file-${index}`, ref: url, bytes: 4096 },
    ...{ sha256: '0'.repeat(64), contentType: 'application/pdf', mtime: at, mtimeNs: '1795309323004000000' },
    ...{ expiresAt: null, attempts: 1, queuedAt: at, uploadedAt: at, durationMs: 12, batch: null },
    remote: { code: 0, msg: 'SUCCESS', data: { oss_info: [{ filename: name, oss_url: url }] } },
    ...{ error: null, recordedAt: at },
  };
}

await tell(JSON.parse(process.argv[2] ?? '{}') as TellingTask);
