import { createWaker } from '../platform/waker.ts';
import { createAdmission } from './admission.ts';
import { createCaughtUp } from './caught-up.ts';
import { createChokidarSource } from './chokidar-source.ts';
import { createDirty } from './dirty.ts';
import { createExaminer, stillAsSeen } from './examiner.ts';
import { createFullReconcile } from './full-reconcile.ts';
import { createHintedFolders } from './hinted-folders.ts';
import type { Intake, WatcherOptions } from './intake.ts';
import { createIntakeLoop } from './intake-loop.ts';
import { createLooks } from './look.ts';
import { createObservation } from './observation.ts';
import type { IntakePorts } from './ports.ts';
import { createReconcileSchedule, type Urgency } from './reconcile-schedule.ts';
import { createReuse, type ReuseOptions } from './reuse.ts';
import { startRootGuard } from './root-guard.ts';
import { rulesOf } from './ruling.ts';
import type { SeenFile } from './seen-file.ts';
import { createSettle } from './settle.ts';
import { openSourceFilter } from './source-filter.ts';

export type { Intake, IntakeCounts, WatcherOptions } from './intake.ts';

/** About 35 MB of files being written at the same time. */
const MAX_TRACKED = 100_000;
/** Hints remembered; past it a full reconcile is cheaper. */
const MAX_DIRTY = 50_000;
const ROOT_CHECK_MS = 1_000;

/**
 * What arrives: finds the settled files of one folder and makes a job of every version that is neither recorded nor
 * pending. Events are hints, the scan is truth (DESIGN §4): both lead into one examiner, which filters, waits until a
 * file is whole, asks the ledger, and admits with back-pressure. A folder that is missing is waited for.
 * @param signal ends it, like `stop`
 */
export async function startIntake(
  options: WatcherOptions,
  ports: IntakePorts,
  signal: AbortSignal,
): Promise<Intake> {
  const { source, destination, root, maxPending } = options;
  const { log, now } = ports;
  const monotonicMs = (): number => now().monotonicMs;
  const own = new AbortController();
  const stopping = AbortSignal.any([signal, own.signal]);

  const waker = createWaker();
  const caughtUp = createCaughtUp();
  const schedule = createReconcileSchedule(options.rescan);
  const request = (urgency: Urgency): void => {
    schedule.request(urgency, monotonicMs());
    waker.wake();
  };
  const unobservable = (): void => request('retry');

  const filter = await openSourceFilter(options);
  const dirty = createDirty(MAX_DIRTY, () => request('soon'));
  // What lies on no other machine's disk: the same question as whose clock set a file's times.
  const looks = createLooks(root, () => observation.trustTimes(), monotonicMs);
  const folders = createHintedFolders({ root, looks, filter, unobservable });
  const scan = createFullReconcile({ root, looks, source, filter, log, unobservable });
  const observation = createObservation({
    root,
    source,
    polling: options.polling,
    rescanMs: options.rescan,
    createSource: () => options.createSource?.(filter) ?? createChokidarSource(root, filter),
    schedule,
    hint(path) {
      if (path === '') return request('soon');
      dirty.mark(path);
      waker.wake();
    },
    request,
    monotonicMs,
    log,
  });

  const { trustTimes } = observation;
  const settle = createSettle({
    settleMs: options.settle,
    minAgeMs: options.minAge,
    trustTimes,
    maxTracked: MAX_TRACKED,
  });
  const see = (file: SeenFile): void => {
    if (settle.see(file, now()) === 'settled') admission.offer(file);
  };
  const wallMs = (): number => now().wallMs;
  const reuse: ReuseOptions = {
    ...{ root, dedupe: options.dedupe, looks, uploads: ports.uploads, log, wallMs },
    rootPresent: async () => (await guard.check()) === 'present',
    take(file) {
      see(file);
      // Outside the loop's turn: it may sleep until a later time than this file's.
      waker.wake();
      admission.flushSoon(stopping);
    },
  };
  const unchanged = (files: readonly SeenFile[]): Promise<SeenFile[]> => stillAsSeen(looks, files, see);
  const admission = createAdmission(
    {
      ...{ source, destination, maxPending, unchanged, log, wallMs, nowMs: monotonicMs, random: Math.random },
      rules: rulesOf(options, ports.firstStartMs),
      openReuse: (ends) => createReuse(reuse, ends),
    },
    ports,
  );
  const examiner = createExaminer({ looks, filter, settle, admission, see, unobservable });

  const guard = await startRootGuard(root, ROOT_CHECK_MS, {
    gone() {
      log.warn(
        { source, path: root },
        'the folder is gone (deleted, or its mount is lost): nothing is forgotten, waiting for it',
      );
      waker.wake();
    },
    appeared() {
      log.info({ source, path: root }, 'the folder is there: comparing it with what is recorded');
      loop.rootAppeared();
      waker.wake();
    },
  });
  const loop = createIntakeLoop({
    source,
    root,
    guard,
    observation,
    settle,
    dirty,
    folders,
    scan,
    schedule,
    examiner,
    caughtUp,
    waker,
    log,
    monotonicMs,
  });
  if (guard.state() === 'missing')
    log.warn({ source, path: root }, 'there is no such folder yet: waiting for it');

  stopping.addEventListener('abort', () => waker.wake(), { once: true });
  const ended = loop.run(stopping).finally(async () => {
    guard.stop();
    caughtUp.fail(stopping.reason);
    await scan.abandon();
    await folders.abandon();
    await observation.detach();
  });

  return {
    async caughtUp() {
      stopping.throwIfAborted();
      const waiting = caughtUp.wait();
      request('now');
      await waiting;
      await admission.passed(stopping);
    },
    rescan: () => request('now'),
    unsettled: () => settle.size(),
    inHand: admission.inHand,
    counts: () => ({
      root: guard.state(),
      scan: scan.tally(),
      reconciles: loop.reconciles(),
      unsettled: settle.size(),
      admitted: admission.admitted(),
    }),
    async stop() {
      own.abort();
      await ended;
    },
  };
}
