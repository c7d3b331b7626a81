import type { BatchProgress } from '../../domain/batch-progress.ts';
import type { SlipwayError } from '../../domain/errors.ts';
import type { SourceReport } from '../../domain/live-report.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { createReleases } from '../../platform/waiting/releases.ts';
import { within } from '../../platform/waiting/within.ts';
import type { OwnBooks } from '../../queue/own-books.ts';
import { readQueueHolds } from '../../queue/queue-holds.ts';
import { openCarrierSplitter } from '../../queue/upload-worker.ts';
import { createRecordingPause } from '../../redis/coordination/recording-pause.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import { createOwnerReport } from '../reports/owner-report.ts';
import { type FindOptions, type Found, findFiles } from './find-files.ts';
import { booksOf } from './hand-over.ts';
import { type Kept, keepRecords } from './keep-records.ts';
import { compareWithRedis } from './lost-jobs.ts';
import { type Owned, ownSource } from './own-source.ts';
import { createOwnerEvents, type OwnerEvents } from './owner-events.ts';
import { type OwnerHealth, watchHealth } from './owner-health.ts';
import { untilRecorded } from './until-recorded.ts';

export interface SourceOwnerOptions extends FindOptions {
  readonly onRecorded: (receipts: readonly Receipt[]) => void;
  /** Receipts can, or cannot, be kept: uploads of this process go on, or pause. */
  readonly onRecording: (recording: boolean) => void;
  /** Another process works on this source now; nothing of it may go on here. */
  readonly onLost: () => void;
}

/** What the owner of one source does: intake and record. */
export interface SourceOwner {
  readonly plan: SourcePlan;
  /** Files and folders that the last comparison of the whole folder could not look at. */
  unreadable(): number;
  /** Identity of the folder that held the files of this source the last time; null: none did. */
  rootHeld(): string | null;
  /** Jobs have finished in this process. */
  wake(): void;
  /** For the workers of this process; null: it reads their finished jobs. */
  readonly books: OwnBooks | null;
  report(): Promise<SourceReport>;
  /** How far a batch is; null: this owner does not know it. */
  batch(id: string): BatchProgress | null;
  /**
   * Resolves when everything that lies in the folder is recorded, with the files that are written to all the time and are
   * not waited for any longer. Rejects when it cannot be.
   */
  drained(signal: AbortSignal): Promise<readonly PathName[]>;
  /** Why receipts cannot be kept, or whose source it is now; null when all is well. */
  failure(): SlipwayError | null;
  /** Resolves when this source cannot go on in this process. */
  readonly dead: Promise<void>;
  /** Finds nothing new. */
  quiesce(): Promise<void>;
  /** Records what has finished, refreshes the manifest where it fits the budget, and leaves everything. */
  close(budgetMs: number): Promise<void>;
}

/** How long each part may take to let go where nothing waits for it. */
const QUICK_MS = 1_000;

interface Steps {
  readonly owned: Owned;
  readonly kept: Kept;
  readonly found: Found;
  readonly books: OwnBooks;
  readonly events: OwnerEvents;
  readonly health: OwnerHealth;
}

/** How an owner ends. */
interface Ending {
  /** Nothing new is looked for. */
  stop(): void;
  /** Every part lets go, newest first. */
  leave(budgetMs: number): Promise<void>;
}

/**
 * Becomes the owner of a source: own it, record what has finished, compare with Redis, then look for files. What happens to it the parts
 * hear from one another through its events.
 * @throws SlipwayError `source_owned`, `queue_foreign`, and what opening the store throws
 */
export async function startSourceOwner(options: SourceOwnerOptions): Promise<SourceOwner> {
  const { plan, redis, prefix } = options;
  const events = createOwnerEvents();
  const releases = createReleases();
  const stopping = new AbortController();
  const recordingPause = createRecordingPause(redis.connection, prefix, plan.name);
  const ending: Ending = {
    stop: () => stopping.abort(),
    async leave(budgetMs) {
      stopping.abort();
      recordingPause.close();
      await releases.all(budgetMs);
    },
  };
  const health = watchHealth(events);
  events.on('recorded', ({ receipts }) => options.onRecorded(receipts));
  events.on('recording', ({ kind }) => {
    const isRecording = kind === 'recording' || kind === 'stopped';
    options.onRecording(isRecording);
    recordingPause.set(!isRecording);
  });
  events.on('lost', () => {
    stopping.abort();
    options.onLost();
    void ending.leave(QUICK_MS);
  });
  try {
    const owned = await ownSource(options, events, releases);
    const kept = await keepRecords(options, owned, events, releases);
    await compareWithRedis(options, owned, events, releases);
    const books = booksOf(owned, kept, events);
    if (!options.uploadsHere) {
      const splitter = openCarrierSplitter({ ...options, ...redis, source: plan.name }, books);
      releases.add(() => splitter.close(QUICK_MS));
    }
    const found = await findFiles(options, { owned, kept }, events, releases, stopping.signal);
    void kept.snapshot.refresh();
    return ownerOf(options, { owned, kept, found, books, events, health }, ending);
  } catch (error) {
    await ending.leave(QUICK_MS);
    throw error;
  }
}

function ownerOf(
  { plan, batch, now, redis, prefix }: SourceOwnerOptions,
  steps: Steps,
  ending: Ending,
): SourceOwner {
  const { owned, kept, found, health } = steps;
  const { recorder, afterActions, snapshot } = kept;
  const { intake, runner } = found;
  const reports = createOwnerReport({
    ...{ ...owned, ...kept, plan, intake, runs: runner, now },
    holds: () => readQueueHolds(redis.connection, prefix, plan.name),
  });
  return {
    plan,
    unreadable: reports.unreadable,
    wake: recorder.wake,
    books: steps.books,
    rootHeld: found.rootMemory.held,
    failure: health.failure,
    dead: health.dead,
    report: reports.report,
    batch: runner.progress,
    drained: untilRecorded({ ...steps, batch, reports }),

    async quiesce() {
      ending.stop();
      await Promise.all([intake.stop(), runner.stop()]);
    },

    async close(budgetMs) {
      const deadlineMs = performance.now() + budgetMs;
      await within(recorder.drained().then(afterActions.settled), budgetMs / 2);
      await recorder.stop();
      await snapshot.finish(deadlineMs - performance.now());
      await ending.leave(Math.max(100, deadlineMs - performance.now()));
    },
  };
}
