// Over 300 lines: the owner is told whole here until its parts have builders of their own.
import { join } from 'node:path';
import { SlipwayError } from '../../domain/errors.ts';
import { rulesOf } from '../../intake/admit/decision.ts';
import { createPendingJobs } from '../../intake/admit/pending-jobs.ts';
import { openSpool, spoolFolder } from '../../intake/archives/spool.ts';
import { type BatchRunner, batchIntake, createBatchRunner } from '../../intake/batch/batch-runner.ts';
import { type Intake, startIntake } from '../../intake/watch/watcher.ts';
import { intentsFor } from '../../ledger/intent.ts';
import { batchFolder } from '../../ledger/store/batch-spec.ts';
import { installationId } from '../../ledger/store/data-dir.ts';
import { lockSource } from '../../ledger/store/source-lock.ts';
import { openLockedStore } from '../../ledger/store/source-store.ts';
import { watchWishes } from '../../ledger/store/wish-watch.ts';
import { openFirstPass } from '../../ledger/tables/first-pass.ts';
import { openKeptRoot } from '../../ledger/tables/root-memory.ts';
import { startNotifier } from '../../notify/notifier.ts';
import { isEmptyFolderOf } from '../../platform/files/folder-identity.ts';
import { createMutex } from '../../platform/waiting/mutex.ts';
import { within } from '../../platform/waiting/within.ts';
import { openUploadQueue } from '../../queue/upload-queue.ts';
import { startAfterActions } from '../../record/after/after-actions.ts';
import { openBatchBook } from '../../record/batches/batch-book.ts';
import { dropOrphans } from '../../record/batches/batch-orphans.ts';
import {
  closeFolderBatches,
  type FolderBatches,
  openFolderBatches,
} from '../../record/batches/folder-batches.ts';
import { createSnapshot } from '../../record/manifest/manifest-snapshot.ts';
import { startRecorder } from '../../record/recorder.ts';
import { hearFinished } from '../../redis/coordination/finished-signal.ts';
import { takeOwnership } from '../../redis/coordination/owner-lease.ts';
import { hearRequests } from '../../redis/coordination/owner-requests.ts';
import { createRecordingPause } from '../../redis/coordination/recording-pause.ts';
import { createOwnerReport } from '../reports/owner-report.ts';
import { openAdmissionPorts } from './admission-ports.ts';
import { openAttachments } from './attachments.ts';
import { endFirstPass } from './first-pass-end.ts';
import { watchForLostJobs } from './lost-jobs.ts';
import { answerRequest, type OwnerRequest } from './owner-request.ts';
import type { SourceOwner, SourceOwnerOptions } from './source-owner-options.ts';

export type { SourceOwner, SourceOwnerOptions } from './source-owner-options.ts';

/**
 * Becomes the owner of a source: finished jobs are recorded, settled files are queued.
 * @throws SlipwayError `source_owned`, `queue_foreign`, and what opening the store throws
 */
export async function startSourceOwner(options: SourceOwnerOptions): Promise<SourceOwner> {
  const { plan, redis, prefix, dataDir, log, now } = options;
  const { connection } = redis;
  const source = plan.name;
  const stopping = new AbortController();
  const exclusive = createMutex();
  const pending = createPendingJobs(options.maxPending);
  /** Undone newest first when the start fails, and at the end. */
  const releases: (() => unknown)[] = [];
  /** Versions that ended without their file's being recorded for good: they come again, as new jobs. */
  let comeAgain = 0;
  const hold = createRecordingPause(connection, prefix, source);
  let failure: SlipwayError | null = null;
  const died = Promise.withResolvers<void>();
  /** Rejects whoever waits for what will never come. */
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);
  let releasing: Promise<void> | null = null;
  /** Until intake runs nobody needs to ask: it begins with a look at everything. */
  let rescan = (_first?: string): void => {};
  let folders: FolderBatches | null = null;
  let runs: BatchRunner | null = null;

  try {
    return await start();
  } catch (error) {
    await releaseAll(1_000);
    throw error;
  }

  /** The story of an owner: own it, open what is kept, record what has finished, then look for files. */
  async function start(): Promise<SourceOwner> {
    // First: an owner of this host that was only stopped for a while must not lose its lease to us.
    releases.push(lockSource(dataDir, source));
    const ledger = { id: await installationId(dataDir), dataDir };
    const lease = await takeOwnership({
      ...{ connection, prefix, source, owner: options.owner, ledger, onLost, log },
    });
    releases.push(() => lease.release());
    const store = await openLockedStore({ dataDir, source, manifest: plan.manifest, log });
    releases.push(() => store.close());
    const queue = openUploadQueue({ connection, prefix, source, destination: plan.destination, log, now });
    releases.push(() => queue.close());
    pending.replace(await queue.jobIds());
    const spool = await openSpool(spoolFolder(dataDir, source), options.spool, pending.has);
    const snapshot = createSnapshot({ path: plan.manifest, mode: plan.snapshot, ...store, now, log });

    const afterActions = startAfterActions({
      ...{ ...plan, ledger: store.ledger, journal: store.journal.path, log },
    });
    releases.push(() => afterActions.stop());

    const attachments = await openAttachments({ plan, store, given: options.meta, log });
    const portsFor = await openAdmissionPorts({
      ...{ plan, store, queue, pending, exclusive, attachments, log, now },
    });
    const batches = openBatchBook({
      ...{ source, now, log, ledger: store.ledger, journal: store.journal },
      onEnded() {
        void snapshot.refresh();
        notifier?.wake();
      },
    });
    const intentOf = intentsFor(plan);
    const { telling } = options;
    const endpoints = telling?.endpointsOf(source) ?? [];
    const notifier =
      telling === null
        ? null
        : await startNotifier({ ...telling, endpoints, source, store, intentOf, redis, prefix, log, now });
    releases.push(() => notifier?.close());
    const recorder = await startRecorder({
      ...store,
      intentOf,
      finish: attachments.finish,
      finished: { take: (max) => queue.takeFinished(max), remove: (jobIds) => queue.removeFinished(jobIds) },
      exclusive,
      onRecorded(receipts, jobIds) {
        pending.remove(jobIds);
        if (runs === null) void spool.release(jobIds);
        else runs.recorded(receipts, jobIds);
        comeAgain += receipts.filter(({ error }) => error?.code === 'changed').length;
        afterActions.wake();
        folders?.recorded();
        options.onRecorded(receipts);
        notifier?.wake();
        if (pending.size() === 0) void snapshot.refresh();
      },
      onState(state) {
        failure =
          state.kind === 'paused' || state.kind === 'halted'
            ? state.error
            : state.kind === 'recording'
              ? null
              : failure;
        const recording = state.kind === 'recording' || state.kind === 'stopped';
        options.onRecording(recording);
        hold.set(!recording);
        if (state.kind === 'halted') died.resolve();
      },
      failpoint: options.failpoint,
      now,
      log,
    });
    releases.push(() => recorder.stop());
    await batches.begin();
    releases.push(() => batches.stop());
    // Nobody watches while a batch is ingested: what is open then waits for the next run.
    if (options.batch === undefined && plan.batch == null) closeFolderBatches(store.ledger, batches);
    else if (options.batch === undefined)
      folders = openFolderBatches({
        ...{ source, destination: plan.destination, ledger: store.ledger, batchBook: batches },
        ...{ exclusive, now, log, isPending: pending.has },
        manifestOf: (batch) => join(batchFolder(dataDir), `${batch}.manifest.json`),
      });
    const finishedSignal = await hearFinished(connection, prefix, source, recorder.wake);
    releases.push(() => finishedSignal.close());

    const wishes = await watchWishes({
      ...{ dataDir, source, log, ledger: store.ledger, journal: store.journal.path },
      onGranted: () => rescan(),
    });
    releases.push(() => wishes.close());

    const rootMemory = openKeptRoot(store.ledger, plan.root, log);
    const clock = () => ({ wallMs: now(), monotonicMs: performance.now() });
    const ports = portsFor(recorder.settle, folders);
    const { ownPaths, maxPending, limits } = options;
    const found = createBatchRunner({
      ...{ ...plan, source, rootMemory, ownPaths, maxPending, ports, spool, log, now: clock },
      rules: rulesOf({ ...plan, limits }, () => null),
      attachmentsOf: attachments.ofBatch,
      records: {
        ...batches,
        dropOrphans: (batch) =>
          dropOrphans({ ledger: store.ledger, batch, isPending: pending.has, exclusive }),
      },
    });
    runs = found;
    releases.push(() => found.stop());
    if (options.batch !== undefined) found.start(options.batch);

    async function watch(): Promise<Intake> {
      // Only now: what the journal alone knew has been replayed.
      const firstPass = openFirstPass(store.ledger, plan.existing, now());
      const watching = await startIntake(
        { ...plan, source, ownPaths, maxPending, limits },
        {
          ...{ ...ports, folders: folders ?? undefined, rootMemory, log, now: clock },
          firstStartMs: firstPass.startedMs,
        },
        stopping.signal,
      );
      void endFirstPass(watching, firstPass, stopping.signal, log);
      return watching;
    }
    const intake = options.batch === undefined ? await watch() : batchIntake(options.batch.batch, found);
    releases.push(() => intake.stop());
    rescan = intake.rescan;
    const stirAll = (): void => folders?.folders().forEach(intake.touch);
    stirAll();
    void snapshot.refresh();

    const requests = hearRequests({
      ...{ connection, prefix, source, log },
      handle: (request) =>
        answerRequest(request as OwnerRequest, {
          ...{ store, plan, log, dataDir, runs: found, telling: notifier },
          rescan: (first) => rescan(first),
          rootEmptied: async () => await isEmptyFolderOf(plan.root, rootMemory.held() ?? ''),
        }),
    });
    releases.push(() => requests.close());

    const resync = watchForLostJobs({
      ...{ source, queue, pending, exclusive, ledger: store.ledger, redis, log },
      onLost(jobs) {
        // Before the set shrinks: whoever waits for it to be empty has to wait for these too.
        comeAgain += jobs;
        stirAll();
      },
      requeue() {
        intake.rescan();
        found.rescan();
      },
    });
    releases.push(() => resync.close());

    const reports = createOwnerReport({
      ...{ plan, queue, store, pending, recorder, intake, runs: found, batches, notifier },
    });

    return {
      plan,
      unreadable: reports.unreadable,
      wake: recorder.wake,
      rootHeld: rootMemory.held,
      failure: () => failure,
      dead: died.promise,

      report: reports.report,
      batch: found.progress,

      async drained(signal) {
        let before: number;
        const unlessLost = <T>(work: Promise<T>): Promise<T> => Promise.race([work, lost.promise]);
        do {
          before = comeAgain;
          await unlessLost(intake.caughtUp());
          await unlessLost(pending.waitUntilEmpty(signal));
          await unlessLost(recorder.drained());
          await unlessLost(afterActions.settled());
          await unlessLost(folders?.settled(signal) ?? Promise.resolve());
          // A file that changed while it waited, or was read, is a new version, which belongs to what lies there; what
          // Redis lost is queued again.
        } while (comeAgain !== before || reports.unfinished());
        if (options.batch !== undefined) await unlessLost(found.ended());
        await unlessLost(notifier?.caughtUp() ?? Promise.resolve());
      },

      async quiesce() {
        stopping.abort();
        await Promise.all([intake.stop(), found.stop()]);
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

  function onLost(): void {
    failure = new SlipwayError('source_lost', { source });
    log.error({ source }, failure.message);
    lost.reject(failure);
    died.resolve();
    stopping.abort();
    options.onLost();
    void releaseAll(1_000);
  }

  /** Once, whoever asks first: a second caller waits for the first. */
  function releaseAll(budgetMs: number): Promise<void> {
    releasing ??= release(budgetMs);
    return releasing;
  }

  async function release(budgetMs: number): Promise<void> {
    stopping.abort();
    hold.close();
    for (let undo = releases.pop(); undo !== undefined; undo = releases.pop()) {
      // One that fails must not keep the others from being released.
      await within(Promise.resolve().then(undo), budgetMs);
    }
  }
}
