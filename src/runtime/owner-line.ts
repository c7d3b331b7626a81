import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Receipt } from '../domain/receipt.ts';
import { startIntake } from '../intake/watcher.ts';
import { createMutex } from '../platform/mutex.ts';
import type { ProcessIdentity } from '../platform/process-identity.ts';
import { within } from '../platform/within.ts';
import { takeOwnership } from '../queue/owner-lease.ts';
import { hearFinished, setHold } from '../queue/source-bell.ts';
import { openUploadQueue } from '../queue/upload-queue.ts';
import { startAfterActions } from '../record/after-actions.ts';
import { intentsFor } from '../record/intent.ts';
import { createSnapshot } from '../record/manifest-snapshot.ts';
import { type RecorderOptions, startRecorder } from '../record/recorder.ts';
import { lockSource } from '../record/source-lock.ts';
import { openLockedStore } from '../record/source-store.ts';
import { watchWishes } from '../record/wish-watch.ts';
import type { SourceReport } from './live-report.ts';
import { createPendingJobs } from './pending-jobs.ts';
import type { RedisAccess } from './redis-access.ts';
import type { SourcePlan } from './source-plan.ts';

/** How often what Redis holds is compared with what we believe it holds: a flush makes no noise. */
const RESYNC_MS = 5_000;
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
    pending.replace(await queue.jobIds());
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
      onState: ({ kind }) => recordingChanged(kind === 'recording' || kind === 'stopped'),
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

    /** Redis may have lost jobs (flushed, restarted without its data): disk and ledger know what to queue again. */
    async function resync(): Promise<void> {
      const lost = await exclusive(async () => {
        const known = new Set(pending.all());
        const there = await queue.jobIds();
        for (const jobId of there) known.delete(jobId);
        const gone = [...known].filter((jobId) => !isRecorded(jobId)).length;
        // Before the set shrinks: whoever waits for it to be empty has to wait for these too.
        comeAgain += gone;
        pending.replace(there);
        return gone;
      });
      if (lost === 0) return;
      log.warn({ source, jobs: lost }, 'Redis has lost jobs; their files are queued again');
      intake.rescan();
    }

    function isRecorded(jobId: string): boolean {
      const [id = '', gen = ''] = jobId.split('-');
      const recorded = store.ledger.find(id);
      return recorded !== null && recorded.gen >= Number(gen);
    }

    async function resyncIfFewer(): Promise<void> {
      const { waiting, active, delayed, finished } = await queue.counts();
      if (waiting + active + delayed + finished < pending.size()) await resync();
    }

    const quietly = (work: () => Promise<void>) => () => {
      work().catch((error: unknown) =>
        log.debug({ source, reason: reasonOf(error) }, 'not compared with Redis yet'),
      );
    };
    const resyncTimer = setInterval(quietly(resyncIfFewer), RESYNC_MS);
    releases.push(() => clearInterval(resyncTimer));
    redis.onBack(quietly(resync));

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
        do {
          before = comeAgain;
          await intake.caughtUp();
          await pending.waitUntilEmpty(signal);
          await recorder.drained();
          await afterActions.settled();
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
    log.error({ source }, 'another process has taken over this source; this one stops working on it');
    stopping.abort();
    facts.onLost();
    void releaseAll(1_000);
  }

  async function releaseAll(budgetMs: number): Promise<void> {
    stopping.abort();
    if (holding !== null) clearInterval(holding);
    for (let release = releases.pop(); release !== undefined; release = releases.pop()) {
      await within(Promise.resolve(release()), budgetMs);
    }
  }
}
