import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../src/domain/log.ts';
import type { Outcome } from '../../src/domain/receipt.ts';
import { encodeReceipt } from '../../src/ledger/journal/receipt-codec.ts';
import { openRecordReader } from '../../src/ledger/store/record-reader.ts';
import { applyResend } from '../../src/ledger/store/resend-request.ts';
import { openSourceStore, type SourceStore } from '../../src/ledger/store/source-store.ts';
import { rebuildSource } from '../../src/ledger/upkeep/rebuild-ledger.ts';
import { createMutex } from '../../src/platform/waiting/mutex.ts';
import { createSnapshot } from '../../src/record/manifest/manifest-snapshot.ts';
import { type Recorder, startRecorder } from '../../src/record/recorder.ts';
import { memoryFinishedJobs } from '../../test/support/memory-finished-jobs.ts';
import { uploadedOutcome } from '../../test/support/upload-job.ts';
import { type Stalled, watched } from './event-loop-stall.ts';
import { machineConditions } from './machine.ts';
import { markdownTable, median } from './table.ts';

export interface LedgerBenchOptions {
  /** Receipts in the journal. */
  readonly receipts: number;
}

const PER_FOLDER = 500;
/** One in so many has failed. */
const FAILED_EVERY = 10_000;
const LOOKUPS = 1_000;
/** Recorded while stalls are watched, in batches of each size. */
const RECORDED = 10_000;
const BATCHES = [100, 500] as const;
const CHUNK_LINES = 2_000;
/** Long enough to see what other processes do to the event loop. */
const IDLE_MS = 5_000;
const SYNCS = 500;
const SYNC_BYTES = 64 * 1024;

const sha256Of = (index: number): string => createHash('sha256').update(String(index)).digest('hex');
const pathOf = (index: number): string => `folder-${Math.floor(index / PER_FOLDER)}/file ${index}.pdf`;

/**
 * A journal of many receipts, and what everything that has to do with all of them costs: its time, and the longest
 * stall of the event loop, which is what recording would notice of it.
 */
export async function benchLedger({ receipts }: LedgerBenchOptions): Promise<string> {
  const conditions = machineConditions();
  const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-ledger-'));
  const place = {
    ...{ dataDir: join(folder, 'data'), source: 'inbox', log: silentLog },
    manifest: join(folder, 'inbox.manifest.json'),
  };
  const journal = join(folder, 'inbox.manifest.jsonl');
  const rows: string[][] = [];
  const row = (what: string, { ms, stallMs, busyMs }: Stalled<unknown>, each?: number): void => {
    const took = each === undefined ? `${(ms / 1000).toFixed(2)} s` : `${((ms / each) * 1000).toFixed(0)} µs`;
    rows.push([what, took, `${stallMs.toFixed(0)} ms`, `${busyMs.toFixed(0)} ms`]);
  };
  try {
    const syncs = await syncTimes(join(folder, 'synced'));
    await writeJournal(journal, receipts);
    row('nothing at all: what the machine itself holds up', await watched(() => sleep(IDLE_MS)));
    row('start with a new ledger (replay)', await watched(async () => (await started(place)).stop()));
    row('manifest rebuild', await watched(() => rebuildSource(place)));
    const opened = await watched(() => openSourceStore(place));
    row('open again', opened);
    await lookUps(place, receipts, row);
    await stalls(place.manifest, opened.result, row);
    await opened.result.close();
    const size = (statSync(journal).size / 1e6).toFixed(0);
    return [
      `A journal of ${receipts} receipts (${size} MB), ${receipts / FAILED_EVERY} of them failed.`,
      `Conditions: ${conditions}; ${syncs}.`,
      '',
      markdownTable(['', 'time', 'longest stall of the event loop', 'most of it busy'], rows),
    ].join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Row = (what: string, stalled: Stalled<unknown>, each?: number) => void;
type Place = Parameters<typeof openSourceStore>[0];

async function lookUps(place: Place, receipts: number, row: Row): Promise<void> {
  const reader = await openRecordReader(place);
  if (reader === null) throw new Error('nothing is recorded');
  const step = Math.max(1, Math.floor(receipts / LOOKUPS));
  const sample = Array.from({ length: Math.min(LOOKUPS, receipts) }, (_, index) => index * step);
  const each = async (find: (index: number) => Promise<unknown>): Promise<void> => {
    for (const index of sample) if ((await find(index)) === null) throw new Error(`${index} is not found`);
  };
  row(
    'lookup by path, receipt read',
    await watched(() => each((index) => reader.findPath({ path: pathOf(index) }))),
    sample.length,
  );
  row(
    'lookup by id, receipt read',
    await watched(() => each((index) => reader.find(uploadedOutcome(pathOf(index)).id))),
    sample.length,
  );
  const sha256 = sha256Of(receipts - 1);
  row('lookup by SHA-256 (one pass)', await watched(() => counted(reader.all(sha256))));
  const dead = await watched(() => counted(reader.dead({ match: [], codes: [] })));
  row(`failed list (${dead.result} of them)`, dead);
  await reader.close();
}

async function counted(pieces: AsyncIterable<readonly unknown[]>): Promise<number> {
  let count = 0;
  for await (const piece of pieces) count += piece.length;
  return count;
}

async function stalls(manifest: string, store: SourceStore, row: Row): Promise<void> {
  const { ledger, journal } = store;
  for (const size of BATCHES) row(`record ${RECORDED} in batches of ${size}`, await recording(store, size));
  const snapshot = createSnapshot({
    ...{ path: manifest, mode: 'always', ledger, journal, now: Date.now, log: silentLog },
  });
  row('snapshot, every file listed', await watched(() => snapshot.refresh()));
  const again = await watched(async () => {
    const request = { name: null, mark: journal.size() } as const;
    for (let from: number | null = 0; from !== null; )
      from = (await applyResend(request, ledger, journal.path, from)).next;
  });
  row('resend --source: all are marked to go again', again);
  // With everything at once.
  const busy = createSnapshot({
    ...{ path: manifest, mode: 'always', ledger, journal, now: Date.now, log: silentLog },
  });
  const refreshing = busy.refresh();
  row(`record ${RECORDED} in batches of 500 beside a snapshot`, await recording(store, 500));
  await refreshing;
}

let serial = 0;

/** From an in-memory queue: what is left is journal and ledger. */
async function recording(store: SourceStore, batch: number): Promise<Stalled<void>> {
  const finished = memoryFinishedJobs();
  const { take } = finished;
  finished.take = (max) => take.call(finished, Math.min(max, batch));
  for (let index = 0; index < RECORDED; index += 1) {
    serial += 1;
    const outcome = uploadedOutcome(`new-${Math.floor(serial / PER_FOLDER)}/${serial}.pdf`);
    finished.jobs.push({ jobId: `${outcome.id}-0`, outcome });
  }
  const recorder = await recorderOver(store, finished);
  try {
    return await watched(() => recorder.drained());
  } finally {
    await recorder.stop();
  }
}

function recorderOver(
  store: SourceStore,
  finished: ReturnType<typeof memoryFinishedJobs>,
): Promise<Recorder> {
  return startRecorder({
    ...{ ledger: store.ledger, journal: store.journal, finished, exclusive: createMutex() },
    ...{ onRecorded() {}, now: Date.now, log: silentLog },
  });
}

/** As `run` starts. */
async function started(place: Place): Promise<{ stop(): Promise<void> }> {
  const store = await openSourceStore(place);
  const recorder = await recorderOver(store, memoryFinishedJobs());
  return {
    async stop() {
      await recorder.stop();
      await store.close();
    },
  };
}

/** What the disk itself takes to make a small write durable: no transaction can be quicker than that. */
async function syncTimes(path: string): Promise<string> {
  const file = await open(path, 'wx');
  const took: number[] = [];
  try {
    for (let index = 0; index < SYNCS; index += 1) {
      const beganMs = performance.now();
      await file.write(Buffer.alloc(SYNC_BYTES, index), 0, SYNC_BYTES, index * SYNC_BYTES);
      await file.datasync();
      took.push(performance.now() - beganMs);
    }
  } finally {
    await file.close();
  }
  return `a synced write of ${SYNC_BYTES / 1024} KiB takes ${median(took).toFixed(1)} ms, the worst of ${SYNCS} ${Math.max(...took).toFixed(0)} ms`;
}

async function writeJournal(path: string, receipts: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for (let start = 0; start < receipts; start += CHUNK_LINES) {
      const lines: string[] = [];
      for (let index = start; index < Math.min(receipts, start + CHUNK_LINES); index += 1)
        lines.push(encodeReceipt({ ...outcomeOf(index), recordedAt: '2026-11-22T01:02:06.000Z' }));
      await file.write(`${lines.join('\n')}\n`);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

function outcomeOf(index: number): Outcome {
  const outcome = { ...uploadedOutcome(pathOf(index)), sha256: sha256Of(index) };
  if (index % FAILED_EVERY !== 0) return outcome;
  const at = '2026-11-22T01:02:05.000Z';
  const error = { code: 'rejected', kind: 'rejected', message: 'not this one', httpStatus: 400, at };
  return { ...outcome, status: 'failed', sha256: null, url: null, fileId: null, ref: null, error };
}
