import { SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Receipt } from '../domain/receipt.ts';
import { startIntake } from '../intake/watcher.ts';
import { createMutex } from '../platform/mutex.ts';
import type { ProcessIdentity } from '../platform/process-identity.ts';
import { within } from '../platform/within.ts';
import { takeOwnership } from '../queue/owner-lease.ts';
import { claimQueue } from '../queue/queue-claim.ts';
import { hearFinished, setHold } from '../queue/source-bell.ts';
import { openUploadQueue } from '../queue/upload-queue.ts';
import { startAfterActions } from '../record/after-actions.ts';
import { installationId } from '../record/data-dir.ts';
import { intentsFor } from '../record/intent.ts';
import { createSnapshot } from '../record/manifest-snapshot.ts';
import { type RecorderOptions, startRecorder } from '../record/recorder.ts';
import { lockSource } from '../record/source-lock.ts';
import { openLockedStore } from '../record/source-store.ts';
import { watchWishes } from '../record/wish-watch.ts';
import type { SourceReport } from './live-report.ts';
import { watchForLostJobs } from './lost-jobs.ts';
import { createPendingJobs } from './pending-jobs.ts';
import type { RedisAccess } from './redis-access.ts';
import type { SourcePlan } from './source-plan.ts';

/** Well within the life of a hold. */
const HOLD_EVERY_MS = 5_000;

export interface OwnerLineFacts {
  readonly plan: SourcePlan;
  readonly redis: RedisAccess;
  readonly prefix: string;
  readonly dataDir: string;
  readonly maxPending: number;
  readonly ownPaths: readonly string[];
  readonly owner: ProcessIdentity & { readonly host: string };
  readonly onRecorded: (receipts: readonly Receipt[]) => void;
  /** Receipts can, or cannot, be kept: uploads of this process go on, or pause. */
  readonly onRecording: (recording: boolean) => void;
  /** Another process works on this source now; nothing of it may go on here. */
  readonly onLost: () => void;
  /** For the fault harness only: nothing in the product sets it. */
  readonly failpoint: RecorderOptions['failpoint'];
  readonly log: Log;
  readonly now: () => number;
}

/** What the owner of one source does: intake and record. */
export interface OwnerLine {
  readonly plan: SourcePlan;
  /** Files and folders that the last comparison of the whole folder could not look at. */
  unreadable(): number;
  /** Jobs have finished in this process. */
  wake(): void;
  report(): Promise<SourceReport>;
  /** Resolves when everything that lies in the folder is recorded. Rejects when it cannot be. */
  drained(signal: AbortSignal): Promise<void>;
  /** Why receipts cannot be kept, or whose source it is now; null when all is well. */
  failure(): SlipwayError | null;
  /** Resolves when this source cannot go on in this process. */
  readonly dead: Promise<void>;
  /** Finds nothing new. */
  quiesce(): Promise<void>;
  /** Records what has finished, refreshes the manifest where it fits the budget, and leaves everything. */
  close(budgetMs: number): Promise<void>;
}

/**
 * Becomes the owner of a source: finished jobs are recorded, settled files are queued.
 * @throws SlipwayError `source_owned`, and what opening the store throws
 */
export async function startOwnerLine(facts: OwnerLineFacts): Promise<OwnerLine> {
  const { plan, redis, prefix, dataDir, log, now } = facts;
  const { connection } = redis;
  const source = plan.name;
  const stopping = new AbortController();
  const exclusive = createMutex();
  const pending = createPendingJobs(facts.maxPending);
  /** Undone newest first when the start fails, and at the end. */
  const releases: (() => unknown)[] = [];
  /** Versions that ended without their file's being recorded for good: they come again, as new jobs. */
  let comeAgain = 0;
  let holding: NodeJS.Timeout | null = null;
  let failure: SlipwayError | null = null;
  const died = Promise.withResolvers<void>();
  /** Rejects whoever waits for what will never come. */
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);
  let releasing: Promise<void> | null = null;
  /** Until intake runs nobody needs to ask: it begins with a look at everything. */
  let rescan = (): void => {};

  try {
    return await start();
  } catch (error) {
    await releaseAll(1_000);
    throw error;
  }

  /** The story of an owner: own it, open what is kept, record what has finished, then look for files. */
  async function start(): Promise<OwnerLine> {
    // First: an owner of this host that was only stopped for a while must not lose its lease to us.
    releases.push(lockSource(dataDir, source));
    const lease = await takeOwnership({ connection, prefix, source, owner: facts.owner, onLost, log });
    releases.push(() => lease.release());
    const store = await openLockedStore({ dataDir, source, manifest: plan.manifest, log });
    releases.push(() => store.close());
    const queue = openUploadQueue({ connection, prefix, source, destination: plan.destination, log, now });
    releases.push(() => queue.close());
    const waiting = await queue.jobIds();
    const installation = await installationId(dataDir);
    await claimQueue({ connection, prefix, source, installation, jobs: waiting.length });
    pending.replace(waiting);
    const snapshot = createSnapshot({ path: plan.manifest, mode: plan.snapshot, ...store, now, log });

    const afterActions = startAfterActions({ ...plan, ledger: store.ledger, log });
    releases.push(() => afterActions.stop());

    const recorder = await startRecorder({
      ...store,
      intentOf: intentsFor(plan),
      finished: { take: (max) => queue.takeFinished(max), remove: (jobIds) => queue.removeFinished(jobIds) },
      exclusive,
      onRecorded(receipts, jobIds) {
        pending.remove(jobIds);
        comeAgain += receipts.filter(({ error }) => error?.code === 'changed').length;
        afterActions.wake();
        facts.onRecorded(receipts);
        if (pending.size() === 0) void snapshot.refresh();
      },
      onState(state) {
        failure =
          state.kind === 'paused' || state.kind === 'halted'
            ? state.error
            : state.kind === 'recording'
              ? null
              : failure;
        recordingChanged(state.kind === 'recording' || state.kind === 'stopped');
        if (state.kind === 'halted') died.resolve();
      },
      failpoint: facts.failpoint,
      now,
      log,
    });
    releases.push(() => recorder.stop());
    const bell = await hearFinished(connection, prefix, source, recorder.wake);
    releases.push(() => bell.close());

    const wishes = await watchWishes({
      ...{ dataDir, source, log, ledger: store.ledger, journal: store.journal.path },
      onGranted: () => rescan(),
    });
    releases.push(() => wishes.close());

    const intake = await startIntake(
      { ...plan, source, ownPaths: facts.ownPaths, maxPending: facts.maxPending },
      {
        recorded: (id) => store.ledger.find(id),
        isPending: pending.has,
        waitForRoom: pending.waitForRoom,
        exclusive,
        async enqueue(jobs) {
          await queue.add(jobs);
          pending.add(jobs.map(({ jobId }) => jobId));
        },
        log,
        now: () => ({ wallMs: now(), monotonicMs: performance.now() }),
      },
      stopping.signal,
    );
    releases.push(() => intake.stop());
    rescan = intake.rescan;
    void snapshot.refresh();

    const resync = watchForLostJobs({
      ...{ source, queue, pending, exclusive, ledger: store.ledger, redis, log },
      onLost(jobs) {
        // Before the set shrinks: whoever waits for it to be empty has to wait for these too.
        comeAgain += jobs;
      },
      requeue: intake.rescan,
    });
    releases.push(() => resync.close());

    function trouble(): string | null {
      const state = recorder.state();
      if (state.kind === 'paused' || state.kind === 'halted') return state.error.message;
      if (intake.counts().root === 'missing') return `the folder ${plan.root} is not there`;
      const count = unreadable();
      return count === 0
        ? null
        : `${count} of the files and folders in ${plan.root} cannot be read: give the user that runs Slipway permission to read them`;
    }

    function unreadable(): number {
      return intake.counts().scan.unobservable;
    }

    return {
      plan,
      unreadable,
      wake: recorder.wake,
      failure: () => failure,
      dead: died.promise,

      async report() {
        const { waiting, active, delayed } = await queue.counts();
        const { uploaded, failed, skipped } = store.ledger.counts().latest;
        const unsettled = intake.unsettled();
        const open = pending.size() + unsettled;
        return {
          name: source,
          path: plan.root,
          destination: plan.destination,
          manifest: plan.manifest,
          discovered: uploaded + failed + skipped + open,
          uploaded,
          failed,
          skipped,
          pending: open,
          unsettled,
          unreadable: unreadable(),
          waiting,
          active,
          delayed,
          oldestWaiting: waiting === 0 ? null : await queue.oldestWaiting(),
          trouble: trouble(),
        };
      },

      async drained(signal) {
        let before: number;
        const unlessLost = <T>(work: Promise<T>): Promise<T> => Promise.race([work, lost.promise]);
        do {
          before = comeAgain;
          await unlessLost(intake.caughtUp());
          await unlessLost(pending.waitUntilEmpty(signal));
          await unlessLost(recorder.drained());
          await unlessLost(afterActions.settled());
          // A file that changed while it was read settles as a new version, which belongs to what lies there; what
          // Redis lost is queued again.
        } while (comeAgain !== before || intake.unsettled() > 0);
      },

      async quiesce() {
        stopping.abort();
        await intake.stop();
      },

      async close(budgetMs) {
        const deadlineMs = performance.now() + budgetMs;
        await within(recorder.drained().then(afterActions.settled), budgetMs / 2);
        await recorder.stop();
        await snapshot.finish(deadlineMs - performance.now());
        await releaseAll(Math.max(100, deadlineMs - performance.now()));
      },
    };
  }

  function recordingChanged(recording: boolean): void {
    facts.onRecording(recording);
    if (holding !== null) clearInterval(holding);
    holding = null;
    const tell = (): void => {
      setHold(connection, prefix, source, !recording).catch(() => undefined);
    };
    tell();
    if (!recording) holding = setInterval(tell, HOLD_EVERY_MS);
  }

  function onLost(): void {
    failure = new SlipwayError('source_lost', { source });
    log.error({ source }, failure.message);
    lost.reject(failure);
    died.resolve();
    stopping.abort();
    facts.onLost();
    void releaseAll(1_000);
  }

  /** Once, whoever asks first: a second caller waits for the first. */
  function releaseAll(budgetMs: number): Promise<void> {
    releasing ??= release(budgetMs);
    return releasing;
  }

  async function release(budgetMs: number): Promise<void> {
    stopping.abort();
    if (holding !== null) clearInterval(holding);
    for (let undo = releases.pop(); undo !== undefined; undo = releases.pop()) {
      // One that fails must not keep the others from being released.
      await within(Promise.resolve().then(undo), budgetMs);
    }
  }
}
