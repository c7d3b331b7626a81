import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Log } from '../../src/domain/log.ts';
import type { Outcome, Receipt } from '../../src/domain/receipt.ts';
import { withoutSum } from '../../src/ledger/journal/line-sum.ts';
import { encodeReceipt } from '../../src/ledger/journal/receipt-codec.ts';
import { openSourceStore, type SourceStore } from '../../src/ledger/store/source-store.ts';
import { createMutex } from '../../src/platform/waiting/mutex.ts';
import type { FinishedJob } from '../../src/record/finished-jobs.ts';
import { type Recorder, type RecorderOptions, startRecorder } from '../../src/record/recorder.ts';
import { type MemoryFinishedJobs, memoryFinishedJobs } from './memory-finished-jobs.ts';
import { uploadedOutcome } from './upload-job.ts';

export { memoryFinishedJobs } from './memory-finished-jobs.ts';

export const NOW_MS = Date.parse('2026-11-22T01:02:06.000Z');

/** A folder of its own, gone when the test ends. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-record-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A log that remembers. */
export function rememberingLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) => {
    lines.push({ level, fields, message });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export function receiptOf(outcome: Outcome): Receipt {
  return { ...outcome, recordedAt: new Date(NOW_MS).toISOString() };
}

/** A journal line for a path. */
export function lineOf(path: string, change: Partial<Outcome> = {}): string {
  return encodeReceipt(receiptOf({ ...uploadedOutcome(path), ...change }));
}

export function finishedJob(path: string, change: Partial<Outcome> = {}): FinishedJob {
  const outcome = { ...uploadedOutcome(path), ...change };
  return { jobId: `${outcome.id}-${outcome.gen}`, outcome };
}

/** The store of a source `inbox` in a folder. */
export async function storeIn(folder: string, log: Log = rememberingLog()): Promise<SourceStore> {
  const store = await openSourceStore({
    dataDir: join(folder, 'data'),
    source: 'inbox',
    manifest: join(folder, 'inbox.manifest.json'),
    log,
  });
  return store;
}

export function journalLines(path: string): Receipt[] {
  const text = readFileSync(path, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(withoutSum(line)) as Receipt);
}

export interface RecorderRig {
  readonly recorder: Recorder;
  readonly store: SourceStore;
  readonly finished: MemoryFinishedJobs;
  readonly log: ReturnType<typeof rememberingLog>;
  readonly recorded: Receipt[];
  readonly freed: string[];
  readonly states: string[];
}

/** A recorder over a store in a folder, stopped and closed when the test ends. */
export async function recorderRig(
  change: Partial<RecorderOptions> & { folder?: string; finished?: MemoryFinishedJobs } = {},
): Promise<RecorderRig> {
  const { folder = testFolder(), finished = memoryFinishedJobs(), ...options } = change;
  const log = rememberingLog();
  const store = await storeIn(folder, log);
  const recorded: Receipt[] = [];
  const freed: string[] = [];
  const states: string[] = [];
  const recorder = await startRecorder({
    ledger: store.ledger,
    journal: store.journal,
    finished,
    exclusive: createMutex(),
    onRecorded(receipts, jobIds) {
      recorded.push(...receipts);
      freed.push(...jobIds);
    },
    onState: (state) => states.push(state.kind),
    now: () => NOW_MS,
    log,
    timing: { pollMs: 20, spacingMs: 1, retryMs: 5, maxRetryMs: 20 },
    ...options,
  });
  onTestFinished(async () => {
    await recorder.stop();
    await store.close();
  });
  return { recorder, store, finished, log, recorded, freed, states };
}
