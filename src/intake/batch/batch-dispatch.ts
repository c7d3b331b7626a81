import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Outcome, Receipt } from '../../domain/receipt.ts';
import { attachTo } from '../admit/attach-to.ts';
import { createBatchQueue } from '../admit/batch-queue.ts';
import { coalesce } from '../admit/coalesce.ts';
import type { Comparable } from '../admit/content-check.ts';
import {
  type Candidate,
  createInFlight,
  type OpenVersion,
  type UploadCandidate,
} from '../admit/in-flight.ts';
import { reusedOutcome } from '../admit/jobless-outcome.ts';
import { createRecordWithoutJob, type JoblessReceipt } from '../admit/record-without-job.ts';
import { createReuse } from '../admit/reuse.ts';
import type { AdmissionPorts, AdmittedJob } from '../ports.ts';
import { createFileStats } from '../scan/stat-files.ts';
import { batchJobOf, type EntryCandidate, isEntry } from './batch-candidate.ts';

/** A member of a batch that needs a receipt. */
export type BatchCandidate = Pick<Candidate, 'jobId' | 'id' | 'version' | 'sight' | 'ruling'>;

export interface BatchDispatchOptions {
  readonly source: string;
  readonly batch: string;
  /** Absolute path of the source's root. */
  readonly root: string;
  /** Whether the folder of the source is there: out of sight is not gone. */
  readonly rootPresent: () => Promise<boolean>;
  /** `queue.maxPending`. */
  readonly maxPending: number;
  /** Whether it is to be sent still. */
  readonly isNeeded: (job: AdmittedJob) => boolean;
  /** A file became another version before it was sent. */
  readonly changed: (name: PathName) => void;
  /** What was unpacked for these is needed no more. */
  readonly release: (jobIds: readonly string[]) => Promise<void>;
  readonly log: Log;
  readonly now: () => { readonly wallMs: number; readonly monotonicMs: number };
  readonly random: () => number;
}

/** The way of a batch's members to their receipts: refused, given an earlier upload, or queued. */
export interface BatchDispatch {
  /** To be sent, unless an upload stands for it; one that is in hand already is passed over. */
  add(need: UploadCandidate | EntryCandidate): void;
  /** It gets its receipt without a job; one that is in hand already is passed over. */
  settle(need: BatchCandidate, outcome: Outcome): void;
  has(jobId: string): boolean;
  /**
   * Sees to all that was added; resolves when it is in the queue. What gets its receipt here, or is compared first, is
   * only on its way then: see `passed`.
   */
  flush(signal: AbortSignal): Promise<void>;
  /**
   * Resolves when everything added so far is in the queue, recorded, or no file of the batch any more; rejects when a
   * receipt cannot be kept.
   */
  passed(signal: AbortSignal): Promise<void>;
  /** What was added and is neither in the queue nor recorded yet. */
  inHand(): Iterable<OpenVersion>;
}

/** Nothing added yet. */
export function createBatchDispatch(options: BatchDispatchOptions, ports: AdmissionPorts): BatchDispatch {
  const { source, batch, root, isNeeded, release, log, now } = options;
  const { contents = null, uploads } = ports;
  const open = createInFlight();
  let files: UploadCandidate[] = [];
  let entries: EntryCandidate[] = [];
  let unsent: JoblessReceipt<BatchCandidate>[] = [];
  /** Why a receipt could not be kept; null: all could. */
  let lost: unknown = null;

  const settling = createRecordWithoutJob<BatchCandidate>({
    async record(outcomes) {
      await ports.settle(await attachTo(outcomes, ports.attached)).catch((error: unknown) => {
        lost = error;
        throw error;
      });
    },
    done(needs) {
      open.done(needs);
      void release(needs.map(({ jobId }) => jobId));
    },
    log,
  });
  const { maxPending, random } = options;
  const queue = createBatchQueue({ source, maxPending, isNeeded, needless: release, log, random }, ports);
  // Few are looked at here: the thread pool does it, whatever the disk.
  const fileStats = createFileStats(
    root,
    () => false,
    () => now().monotonicMs,
  );
  const reuse = createReuse(
    {
      ...{ root, contents, fileStats, uploads, rootPresent: options.rootPresent },
      take: ({ name }) => options.changed(name),
      wallMs: () => now().wallMs,
    },
    { send, settle, dropped: (need) => open.done([need]) },
  );
  const sendGathered = coalesce(send);

  async function settle(
    receipts: readonly JoblessReceipt<BatchCandidate>[],
    signal: AbortSignal,
  ): Promise<void> {
    const own = receipts.map(({ need, outcome }) => ({ need, outcome: { ...outcome, batch } }));
    await settling.settle(own, signal);
  }

  async function send(
    needs: readonly (UploadCandidate | EntryCandidate)[],
    signal: AbortSignal,
  ): Promise<void> {
    await queue.add(
      needs.map((need) => batchJobOf(need, batch)),
      signal,
    );
    open.done(needs);
  }

  /** With `dedupe: content` those to be compared are seen to; the rest is to be sent now. */
  async function restOfEntries(
    needs: readonly EntryCandidate[],
    signal: AbortSignal,
  ): Promise<EntryCandidate[]> {
    const rest: EntryCandidate[] = [];
    for (const need of needs) {
      if (contents === null || need.sha256 === null || need.ruling.asked) rest.push(need);
      else await contents.take(comparable(need, need.sha256), signal);
    }
    return rest;
  }

  /** What lies in the spool stays as it is. */
  function comparable(need: EntryCandidate, sha256: string): Comparable {
    const { jobId, version, sight, ruling } = need;
    const receiptOf = (upload: Receipt): JoblessReceipt<BatchCandidate> => {
      const times = { sight, nowMs: now().wallMs };
      return { need, outcome: reusedOutcome(version, ruling.gen, upload, times) };
    };
    return {
      ...{ jobId, path: version.path, size: version.size, arrival: 'backlog' },
      hash: async () => ({ kind: 'hashed', sha256 }),
      isThere: async () => true,
      reuse: (upload, signal) => settle([receiptOf(upload)], signal),
      send: (signal) => sendGathered(need, signal),
      changed: async () => open.done([need]),
    };
  }

  return {
    has: open.has,
    inHand: open.all,

    add(need) {
      if (!open.add(need)) return;
      if (isEntry(need)) entries.push(need);
      else files.push(need);
    },

    settle(need, outcome) {
      if (open.add(need)) unsent.push({ need, outcome });
    },

    async flush(signal) {
      const [receipts, ofFolders, ofArchives] = [unsent, files, entries];
      [unsent, files, entries] = [[], [], []];
      await settle(receipts, signal);
      await send(await reuse.rest(ofFolders, signal), signal);
      await send(await restOfEntries(ofArchives, signal), signal);
    },

    async passed(signal) {
      await open.passed(signal);
      if (lost !== null) throw lost;
    },
  };
}
