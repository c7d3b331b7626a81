import type { DiskMark } from '../domain/disk-mark.ts';
import type { Log } from '../domain/log.ts';
import type { Outcome, Receipt } from '../domain/receipt.ts';
import { jobIdOf } from '../domain/upload-job.ts';
import { commitInParts } from '../ledger/commit-in-parts.ts';
import type { IntentOf } from '../ledger/intent.ts';
import type { LinePlace } from '../ledger/journal/journal-reader.ts';
import { replayJournal } from '../ledger/journal/journal-replay.ts';
import type { ManifestJournal } from '../ledger/journal/manifest-journal.ts';
import { encodeReceipt } from '../ledger/journal/receipt-codec.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { type LedgerEntry, ledgerEntryOf } from '../ledger/ledger-entry.ts';
import type { Exclusive } from '../platform/waiting/mutex.ts';
import type { FinishedJobs } from './finished-jobs.ts';
import type { JoblessOutcomes } from './jobless-outcomes.ts';

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
   * Told after the commit, once the ids are free: the new receipts, and every job that left the queue (also those
   * whose receipt was known already).
   */
  readonly onRecorded: (receipts: readonly Receipt[], jobIds: readonly string[]) => void;
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

export function createBatchRecorder(ports: RecordBatchPorts): BatchRecorder {
  const { ledger, journal, finished, own, exclusive, onRecorded, intentOf, now, log, failpoint } = ports;
  const { finish = asItIs } = ports;
  /** Durable in the journal, not yet announced. */
  let unannounced: Receipt[] = [];
  /** Committed, ids not yet free. */
  let recordedJobs: string[] = [];

  async function record(): Promise<number> {
    await replayJournal({ journal, ledger, log, intentOf });
    await freeRecorded();
    const settled = own.peek(MAX_BATCH);
    const jobs = settled.length < MAX_BATCH ? await finished.take(MAX_BATCH - settled.length) : [];
    if (settled.length + jobs.length === 0) return 0;
    await failpoint('taken');

    const outcomes = [...settled, ...jobs.map(({ outcome }) => outcome)];
    const receipts = newOutcomes(outcomes, ledger).map((outcome) => received(finish(outcome), now()));
    const quota = await journal.append(receipts.map(encodeReceipt));
    unannounced.push(...receipts);
    await failpoint('journaled');

    await commitInParts(
      ledger,
      entriesOf(receipts, quota, { intentOf, diskOf: ports.diskOf }),
      journal.size(),
    );
    own.drop(settled.length);
    recordedJobs = jobs.map((job) => job.jobId);
    await failpoint('committed');

    if (jobs.length === 0) announceRest();
    await freeRecorded();
    return outcomes.length;
  }

  async function freeRecorded(): Promise<void> {
    if (recordedJobs.length === 0) return;
    await exclusive(() => finished.remove(recordedJobs));
    await failpoint('removed');
    announceRest();
    await failpoint('announced');
  }

  function announceRest(): void {
    const receipts = unannounced;
    const jobIds = recordedJobs;
    unannounced = [];
    recordedJobs = [];
    if (receipts.length + jobIds.length > 0) onRecorded(receipts, jobIds);
  }

  return { record, announceRest };
}

/** Those without a receipt yet: a kill between commit and removal, or a job listed twice, must not write a second line. */
function newOutcomes(outcomes: readonly Outcome[], ledger: Ledger): Outcome[] {
  const seen = new Map<string, number>();
  return outcomes.filter(({ id, gen }) => {
    const known = seen.get(id) ?? ledger.find(id)?.gen ?? -1;
    seen.set(id, Math.max(known, gen));
    return gen > known;
  });
}

function asItIs(outcome: Outcome): Outcome {
  return outcome;
}

function received(outcome: Outcome, nowMs: number): Receipt {
  return { ...outcome, recordedAt: new Date(nowMs).toISOString() };
}

function entriesOf(
  receipts: readonly Receipt[],
  quota: readonly LinePlace[],
  { intentOf, diskOf }: Pick<RecordBatchPorts, 'intentOf' | 'diskOf'>,
): LedgerEntry[] {
  const entries: LedgerEntry[] = [];
  for (const [index, place] of quota.entries()) {
    const receipt = receipts[index];
    if (receipt === undefined) continue;
    const disk = diskOf?.(jobIdOf(receipt.id, receipt.gen));
    entries.push({ ...ledgerEntryOf(receipt, place, intentOf), disk });
  }
  return entries;
}
