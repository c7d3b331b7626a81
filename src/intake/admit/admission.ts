import type { Arrival } from '../../domain/lane.ts';
import type { Outcome } from '../../domain/receipt.ts';
import type { AdmissionPorts } from '../ports.ts';
import { attachTo } from './attach-to.ts';
import { type Candidate, isOnDisk, isUpload } from './candidate.ts';
import { createInFlight, type OpenVersion } from './in-flight.ts';
import { refusedOutcome } from './jobless-outcome.ts';
import { createQueueEntry, type QueueEntryOptions } from './queue-chunks.ts';
import { createRecordWithoutJob, type JoblessReceipt } from './record-without-job.ts';
import type { Reuse, ReuseEnds } from './reuse.ts';

/** What a feed of the pipeline says: a watcher, or a batch. */
export interface AdmissionOptions extends QueueEntryOptions {
  /** Looks for uploads that may stand for files; null: everything is sent. */
  readonly openReuse: ((ends: ReuseEnds) => Reuse) | null;
  /** Leaves out what only its content shows to be Slipway's own. */
  readonly withoutOwn: (candidates: readonly Candidate[]) => Promise<readonly Candidate[]>;
  /** Something that was read first is in the queue; more may have been taken meanwhile, outside any flush. */
  readonly sentAfterReading: (signal: AbortSignal) => void;
  /** Why receipts could not be kept. */
  readonly unrecorded: (error: unknown) => void;
  /** Since the epoch. */
  readonly wallMs: () => number;
}

/**
 * The one way of settled file versions to their jobs, or receipts, once each (G1), with back-pressure (G3): refused by
 * the source, uploaded before, or to be sent. Whoever finds them feeds it: a watcher (`watch/watch-admission.ts`) or a
 * batch (`batch/batch-admission.ts`).
 */
export interface Admission {
  /**
   * Takes one that needs a receipt.
   * @param outcome its receipt where it gets one without a job, for a reason that its ruling does not say
   * @returns false: it is in hand already
   */
  take(candidate: Candidate, outcome?: Outcome): boolean;
  /** Whether it is in hand. */
  has(jobId: string): boolean;
  /** Whether anything was taken since the last flush began. */
  waits(arrival: Arrival): boolean;
  /**
   * Makes jobs of everything taken that needs one; ends when they are in the queue. What gets its receipt here, or is
   * read first, is only on its way then: see `passed`. Rejects only when the signal fires. The live ones and the found
   * ones hold up only their own kind.
   */
  flush(arrival: Arrival, signal: AbortSignal): Promise<void>;
  /** Resolves when everything taken so far is in the queue or recorded; rejects when the signal fires. */
  passed(signal: AbortSignal): Promise<void>;
  /** What was taken and is neither in the queue nor recorded yet. */
  inHand(): Iterable<OpenVersion>;
}

interface Taken {
  readonly need: Candidate;
  readonly outcome: Outcome | null;
}

/** Nothing taken yet. */
export function createAdmission(options: AdmissionOptions, ports: AdmissionPorts): Admission {
  const { batch, log, wallMs } = options;
  const open = createInFlight();
  const taken: Record<Arrival, Taken[]> = { live: [], backlog: [] };
  const entry = createQueueEntry(options, ports);
  const jobless = createRecordWithoutJob<Candidate>({
    record: (outcomes) => recordNow(outcomes, ports, options.unrecorded),
    done(needs) {
      open.done(needs);
      void options.release(needs.map(({ jobId }) => jobId));
    },
    log,
  });
  const settle = (receipts: readonly JoblessReceipt[], signal: AbortSignal): Promise<void> =>
    jobless.settle(
      receipts.map(({ need, outcome }) => ({ need, outcome: { ...outcome, batch } })),
      signal,
    );
  const reuse =
    options.openReuse?.({
      async send(needs, signal) {
        await entry.add(needs, open.done, signal);
        options.sentAfterReading(signal);
      },
      async settle(receipts, signal) {
        for (const { need } of receipts) if (isOnDisk(need)) ports.uploads.remember(need.jobId, need.file);
        await settle(receipts, signal);
      },
      dropped: (need) => open.done([need]),
    }) ?? null;

  /** The story of what was taken: refused by us, uploaded before, or to be sent. */
  async function dispatch(all: readonly Taken[], signal: AbortSignal): Promise<void> {
    const theirs = await withoutOwn(all, options.withoutOwn, open.done);
    const refused = theirs.flatMap(({ need, outcome }) => joblessReceipt(need, outcome, wallMs()));
    await settle(refused, signal);
    const uploads = theirs.flatMap(({ need, outcome }) => (outcome === null && isUpload(need) ? [need] : []));
    const rest = reuse === null ? uploads : await reuse.rest(uploads, signal);
    await entry.add(rest, open.done, signal);
  }

  return {
    take(need, outcome) {
      if (!open.add(need)) return false;
      taken[need.arrival].push({ need, outcome: outcome ?? null });
      return true;
    },
    has: open.has,
    waits: (arrival) => taken[arrival].length > 0,
    passed: open.passed,
    inHand: open.all,
    async flush(arrival, signal) {
      // Again while there is any: what changed during the wait for room is taken anew.
      while (taken[arrival].length > 0) {
        const all = taken[arrival];
        taken[arrival] = [];
        try {
          await dispatch(all, signal);
        } catch (error) {
          // Found again by the next scan, which could not take up what is still in hand.
          open.done(all.map(({ need }) => need));
          throw error;
        }
      }
    },
  };
}

async function recordNow(
  outcomes: readonly Outcome[],
  ports: AdmissionPorts,
  unrecorded: (error: unknown) => void,
): Promise<void> {
  try {
    await ports.settle(await attachTo(outcomes, ports.attached));
  } catch (error) {
    unrecorded(error);
    throw error;
  }
}

/** Without the receipts that Slipway wrote itself. */
async function withoutOwn(
  all: readonly Taken[],
  filter: AdmissionOptions['withoutOwn'],
  dropped: (needs: readonly Candidate[]) => void,
): Promise<readonly Taken[]> {
  const theirs = new Set(await filter(all.map(({ need }) => need)));
  if (theirs.size === all.length) return all;
  dropped(all.flatMap(({ need }) => (theirs.has(need) ? [] : [need])));
  return all.filter(({ need }) => theirs.has(need));
}

function joblessReceipt(need: Candidate, outcome: Outcome | null, nowMs: number): JoblessReceipt[] {
  if (outcome !== null) return [{ need, outcome }];
  const { version, ruling, sight } = need;
  if (ruling.kind === 'upload') return [];
  return [{ need, outcome: refusedOutcome(version, ruling, { sight, nowMs }) }];
}
