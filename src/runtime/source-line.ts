import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Receipt } from '../domain/receipt.ts';
import { startIntake } from '../intake/watcher.ts';
import { createMutex } from '../platform/mutex.ts';
import type { ProcessIdentity } from '../platform/process-identity.ts';
import { within } from '../platform/within.ts';
import { takeOwnership } from '../queue/owner-lease.ts';
import { openUploadQueue } from '../queue/upload-queue.ts';
import { openUploadWorker, type UploadHandler } from '../queue/upload-worker.ts';
import { createSnapshot } from '../record/manifest-snapshot.ts';
import { startRecorder } from '../record/recorder.ts';
import { openSourceStore } from '../record/source-store.ts';
import type { DestinationRunner } from './destination-runner.ts';
import type { SourceReport } from './live-report.ts';
import { createPendingJobs } from './pending-jobs.ts';
import type { RedisAccess } from './redis-access.ts';
import { REFUSALS_TO_STOP } from './refusal-hold.ts';
import type { SourcePlan } from './source-plan.ts';
import { workGate } from './work-gate.ts';

/** How often what Redis holds is compared with what we believe it holds: a flush makes no noise. */
const RESYNC_MS = 5_000;

export interface SourceLineFacts {
  readonly plan: SourcePlan;
  readonly runner: DestinationRunner;
  readonly handler: UploadHandler;
  /** Most uploads of this destination at once. */
  readonly maxConcurrency: number;
  readonly redis: RedisAccess;
  readonly prefix: string;
  readonly dataDir: string;
  readonly maxPending: number;
  readonly ownPaths: readonly string[];
  readonly owner: ProcessIdentity & { readonly host: string };
  readonly onRecorded: (receipts: readonly Receipt[]) => void;
  readonly log: Log;
  readonly now: () => number;
}

/** One source at work. */
export interface SourceLine {
  readonly plan: SourcePlan;
  /** Jobs in hand in this process, whatever they wait for. */
  active(): number;
  report(): Promise<SourceReport>;
  /** Resolves when everything that lies in the folder is recorded. Rejects when it cannot be. */
  drained(signal: AbortSignal): Promise<void>;
  /** Finds and takes nothing new; jobs in hand go on. */
  quiesce(): Promise<void>;
  /** Every job in hand goes back. */
  abort(): void;
  /** Records what has finished, refreshes the manifest where it fits the budget, and leaves everything. */
  close(budgetMs: number): Promise<void>;
}

/**
 * Starts one source: intake → queue → upload → record. The only place where these stages meet.
 * @throws SlipwayError `source_owned`, and what opening the store throws
 */
export async function startSourceLine(facts: SourceLineFacts): Promise<SourceLine> {
  const { plan, runner, redis, prefix, dataDir, log, now } = facts;
  const { connection } = redis;
  const source = plan.name;
  const stopping = new AbortController();
  const exclusive = createMutex();
  const pending = createPendingJobs(facts.maxPending);
  let changedWhileRunning = 0;

  const lease = await takeOwnership({ connection, prefix, source, owner: facts.owner, onLost, log });
  const store = await openSourceStore({ dataDir, source, manifest: plan.manifest, log });
  const queue = openUploadQueue({ connection, prefix, source, destination: plan.destination, log, now });
  pending.replace(await queue.jobIds());
  const snapshot = createSnapshot({ path: plan.manifest, mode: plan.snapshot, ...store, now, log });

  const recorder = await startRecorder({
    ...store,
    finished: { take: (max) => queue.takeFinished(max), remove: (jobIds) => queue.removeFinished(jobIds) },
    exclusive,
    onRecorded(receipts, jobIds) {
      pending.remove(jobIds);
      changedWhileRunning += receipts.filter(({ error }) => error?.code === 'changed').length;
      facts.onRecorded(receipts);
      if (pending.size() === 0) void snapshot.refresh();
    },
    onState: ({ kind }) => gate.set('recording', kind === 'recording'),
    now,
    log,
  });

  const worker = openUploadWorker({
    connection,
    prefix,
    source,
    // Refusals that are held back take no part in the uploading.
    concurrency: facts.maxConcurrency + REFUSALS_TO_STOP,
    handler: facts.handler,
    onFinished: recorder.wake,
    log,
    now,
  });
  const gate = workGate(worker, (reason) =>
    log.warn({ source, reason }, 'taking jobs could not be paused or resumed'),
  );
  runner.onHealth(({ kind }) => gate.set('destination', kind !== 'stopped'));
  gate.set('destination', runner.health().kind !== 'stopped');

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
  void snapshot.refresh();

  /** Redis may have lost jobs (flushed, restarted without its data): disk and ledger know what to queue again. */
  async function resync(): Promise<void> {
    const lost = await exclusive(async () => {
      const known = new Set(pending.all());
      const there = await queue.jobIds();
      pending.replace(there);
      for (const jobId of there) known.delete(jobId);
      return [...known].filter((jobId) => !isRecorded(jobId)).length;
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
  redis.onBack(quietly(resync));

  function onLost(): void {
    log.error({ source }, 'another process has taken over this source; this one stops working on it');
    gate.set('owner', false);
    worker.abort('another process owns the source');
    stopping.abort();
    void recorder.stop();
  }

  function trouble(): string | null {
    const state = recorder.state();
    if (state.kind === 'paused' || state.kind === 'halted') return state.error.message;
    return intake.counts().root === 'missing' ? `the folder ${plan.root} is not there` : null;
  }

  return {
    plan,
    active: worker.active,

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
        waiting,
        active,
        delayed,
        oldestWaiting: waiting === 0 ? null : await queue.oldestWaiting(),
        trouble: trouble(),
      };
    },

    async drained(signal) {
      let changedBefore: number;
      do {
        changedBefore = changedWhileRunning;
        await intake.caughtUp();
        await pending.waitUntilEmpty(signal);
        await recorder.drained();
        // A file that changed while it was read settles as a new version, which belongs to what lies there.
      } while (changedWhileRunning !== changedBefore || intake.unsettled() > 0);
    },

    async quiesce() {
      stopping.abort();
      gate.set('running', false);
      await intake.stop();
    },

    abort: () => worker.abort('shutdown'),

    async close(budgetMs) {
      const deadlineMs = performance.now() + budgetMs;
      clearInterval(resyncTimer);
      await worker.close(budgetMs / 2);
      await within(recorder.drained(), (deadlineMs - performance.now()) / 2);
      await recorder.stop();
      await snapshot.finish(deadlineMs - performance.now());
      await within(lease.release(), Math.max(100, deadlineMs - performance.now()));
      await within(queue.close(), Math.max(100, deadlineMs - performance.now()));
      await store.close();
    },
  };
}
