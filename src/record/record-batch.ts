import type { DiskMark } from '../domain/disk-mark.ts';
import type { Log } from '../domain/log.ts';
import type { Outcome, Receipt } from '../domain/receipt.ts';
import { jobIdOf } from '../domain/upload-job.ts';
import { commitInParts } from '../ledger/commit-in-parts.ts';
import type { IntentOf } from '../ledger/intent.ts';
import { replayJournal } from '../ledger/journal/journal-replay.ts';
import type { ManifestJournal } from '../ledger/journal/manifest-journal.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { type LedgerEntry, ledgerEntryOf } from '../ledger/ledger-entry.ts';
import type { Exclusive } from '../platform/waiting/mutex.ts';
import { within } from '../platform/waiting/within.ts';
import type { FinishedJob, FinishedJobs } from './finished-jobs.ts';
import type { JoblessOutcomes } from './jobless-outcomes.ts';
import { createLineWriter, type WrittenLine } from './line-writer.ts';

/** What has just been done when the fault harness may strike. */
export type RecordStep = 'taken' | 'journaled' | 'committed' | 'removed' | 'announced';

export interface RecordBatchPorts {
  readonly ledger: Ledger;
  readonly journal: ManifestJournal;
  readonly finished: FinishedJobs;
  /** What the owner settles itself, without a job. */
  readonly own: JoblessOutcomes;
  /** The source's mutex: no admission between its ledger check and its add may see a job id being freed. */
  readonly exclusive: Exclusive;
  /**
   * Told after the commit, once the ids are free: the new receipts, every job that left the queue (also those whose
   * receipt was known already), and every job whose outcome was handed over.
   */
  readonly onRecorded: (
    receipts: readonly Receipt[],
    jobIds: readonly string[],
    handedOver: readonly string[],
  ) => void;
  /** The last word on an outcome before it is written: adds what travels with the ledger. Left out: nothing. */
  readonly finish?: ((outcome: Outcome) => Outcome) | undefined;
  /** What is to be done with a file once its receipt is durable; left out: nothing. */
  readonly intentOf?: IntentOf | undefined;
  /** Which file on disk a job is about; left out: nobody knows. */
  readonly diskOf?: ((jobId: string) => DiskMark | undefined) | undefined;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly log: Log;
  /** The fault harness kills here; does nothing in the product. */
  readonly failpoint: (step: RecordStep) => void | Promise<void>;
}

export interface BatchRecorder {
  /** Outcomes have been handed over: their lines are written soon. */
  handedOver(outcomes: readonly Outcome[]): void;
  /**
   * Records a batch of finished jobs. After an error or a kill anywhere in it the next call goes on where it ended.
   * @returns how many were taken
   */
  record(): Promise<number>;
  /** Announces what is recorded although its ids could not be freed yet: the last thing at stop. */
  announceRest(): void;
}

/** A batch is one Redis answer, one write, one fsync; its transactions are as large as the event loop can bear. */
export const MAX_BATCH = 500;
/** Longer than a Redis that is there needs, on a busy machine too. */
const REDIS_MOMENT_MS = 250;

export function createBatchRecorder(ports: RecordBatchPorts): BatchRecorder {
  const { ledger, journal, finished, own, exclusive, onRecorded, intentOf, now, log, failpoint } = ports;
  const { finish = asItIs } = ports;
  const lines = createLineWriter({ ledger, journal, finish, now, log });
  /** Durable in the journal, not yet announced. */
  let unannounced: Receipt[] = [];
  /** Handed over and committed, not yet announced. */
  let handedOver: string[] = [];
  /** Committed, ids not yet free. */
  let recordedJobs: string[] = [];
  let freeing: Promise<void> | null = null;

  async function record(): Promise<number> {
    await replayJournal({ journal, ledger, log, intentOf });
    const settled = own.peek(MAX_BATCH);
    const jobs = await finishedBeside(settled.length);
    if (settled.length + jobs.length === 0) return 0;
    await failpoint('taken');

    await lines.write([...settled, ...jobs.map(({ outcome }) => outcome)]);
    const written = await lines.sync();
    unannounced.push(...written.map(({ receipt }) => receipt));
    await failpoint('journaled');

    await commitInParts(ledger, entriesOf(written, { intentOf, diskOf: ports.diskOf }), journal.size());
    lines.committed(written);
    own.drop(settled.length);
    handedOver.push(...settled.map(({ id, gen }) => jobIdOf(id, gen)));
    recordedJobs.push(...jobs.map((job) => job.jobId));
    await failpoint('committed');

    if (jobs.length === 0) announce([]);
    else await reached(freeRecorded(), settled.length > 0);
    return settled.length + jobs.length;
  }

  /** What was handed over needs no Redis: while it is away, nobody waits for it. */
  async function finishedBeside(settled: number): Promise<readonly FinishedJob[]> {
    const freed = await reached(freeRecorded(), settled > 0);
    if (settled >= MAX_BATCH || !freed.inTime) return [];
    const taken = await reached(finished.take(MAX_BATCH - settled), settled > 0);
    return taken.inTime ? taken.value : [];
  }

  async function freeRecorded(): Promise<void> {
    const jobIds = [...recordedJobs];
    if (jobIds.length === 0) return;
    freeing ??= exclusive(() => finished.remove(jobIds)).finally(() => {
      freeing = null;
    });
    await freeing;
    await failpoint('removed');
    recordedJobs = recordedJobs.filter((jobId) => !jobIds.includes(jobId));
    announce(jobIds);
    await failpoint('announced');
  }

  function announce(jobIds: readonly string[]): void {
    const receipts = unannounced;
    const handed = handedOver;
    unannounced = [];
    handedOver = [];
    if (receipts.length + jobIds.length + handed.length > 0) onRecorded(receipts, jobIds, handed);
  }

  return {
    record,
    handedOver: lines.soon,
    announceRest: () => announce(recordedJobs.splice(0)),
  };
}

function asItIs(outcome: Outcome): Outcome {
  return outcome;
}

function entriesOf(
  lines: readonly WrittenLine[],
  { intentOf, diskOf }: Pick<RecordBatchPorts, 'intentOf' | 'diskOf'>,
): LedgerEntry[] {
  return lines.map(({ receipt, place }) => {
    const disk = diskOf?.(jobIdOf(receipt.id, receipt.gen));
    return { ...ledgerEntryOf(receipt, place, intentOf), disk };
  });
}

type Reached<T> = { readonly inTime: true; readonly value: T } | { readonly inTime: false };

/** @param hurried waits for Redis only a moment; what it answers later is asked for again */
async function reached<T>(asked: Promise<T>, hurried: boolean): Promise<Reached<T>> {
  if (hurried && !(await within(asked, REDIS_MOMENT_MS))) return { inTime: false };
  return { inTime: true, value: await asked };
}
