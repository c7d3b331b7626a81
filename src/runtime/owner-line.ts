import { SlipwayError } from '../domain/errors.ts';
import { startIntake } from '../intake/watcher.ts';
import { createMutex } from '../platform/mutex.ts';
import { within } from '../platform/within.ts';
import { takeOwnership } from '../queue/owner-lease.ts';
import { hearRequests } from '../queue/owner-requests.ts';
import { claimQueue } from '../queue/queue-claim.ts';
import { hearFinished, setHold } from '../queue/source-bell.ts';
import { openUploadQueue } from '../queue/upload-queue.ts';
import { startAfterActions } from '../record/after-actions.ts';
import { installationId } from '../record/data-dir.ts';
import { openFirstPass } from '../record/first-pass.ts';
import { intentsFor } from '../record/intent.ts';
import { createSnapshot } from '../record/manifest-snapshot.ts';
import { startRecorder } from '../record/recorder.ts';
import { lockSource } from '../record/source-lock.ts';
import { openLockedStore } from '../record/source-store.ts';
import { watchWishes } from '../record/wish-watch.ts';
import { endFirstPass } from './first-pass-end.ts';
import { openIntakeMemory } from './intake-memory.ts';
import { watchForLostJobs } from './lost-jobs.ts';
import type { OwnerLine, OwnerLineFacts } from './owner-line-port.ts';
import { createOwnerReport } from './owner-report.ts';
import { answerRequest, type OwnerRequest } from './owner-request.ts';
import { createPendingJobs } from './pending-jobs.ts';

/** Well within the life of a hold. */
const HOLD_EVERY_MS = 5_000;

export type { OwnerLine, OwnerLineFacts } from './owner-line-port.ts';

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

    const memory = await openIntakeMemory({ plan, store, pending, now, log });

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

    // Only now: what the journal alone knew has been replayed.
    const firstPass = openFirstPass(store.ledger, plan.existing, now());
    const intake = await startIntake(
      { ...plan, source, ownPaths: facts.ownPaths, maxPending: facts.maxPending, limits: facts.limits },
      {
        ...memory,
        settle: recorder.settle,
        firstStartMs: firstPass.startedMs,
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
    void endFirstPass(intake, firstPass, stopping.signal, log);
    void snapshot.refresh();

    const requests = hearRequests({
      ...{ connection, prefix, source, log },
      handle: (request) => answerRequest(request as OwnerRequest, { store, rescan }),
    });
    releases.push(() => requests.close());

    const resync = watchForLostJobs({
      ...{ source, queue, pending, exclusive, ledger: store.ledger, redis, log },
      onLost(jobs) {
        // Before the set shrinks: whoever waits for it to be empty has to wait for these too.
        comeAgain += jobs;
      },
      requeue: intake.rescan,
    });
    releases.push(() => resync.close());

    const reports = createOwnerReport({ plan, queue, store, pending, recorder, intake });

    return {
      plan,
      unreadable: reports.unreadable,
      wake: recorder.wake,
      failure: () => failure,
      dead: died.promise,

      report: reports.report,

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
