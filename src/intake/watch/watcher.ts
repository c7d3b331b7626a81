import type { Arrival } from '../../domain/lane.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { createWaker } from '../../platform/waiting/waker.ts';
import { createAdmissionLanes } from '../admit/admission-lanes.ts';
import { rulesOf } from '../admit/decision.ts';
import { createDiskSameness } from '../admit/disk-sameness.ts';
import { createReuse, type ReuseOptions } from '../admit/reuse.ts';
import type { Intake, WatcherOptions } from '../intake.ts';
import type { IntakePorts } from '../ports.ts';
import { createFullReconcile } from '../scan/full-reconcile.ts';
import { withoutOwnFiles } from '../scan/own-files.ts';
import type { SeenFile } from '../scan/seen-file.ts';
import { createSettle, patienceMsOf } from '../scan/settle.ts';
import { openSourceFilter } from '../scan/source-filter.ts';
import { createFileStats } from '../scan/stat-files.ts';
import { createCaughtUp } from './caught-up.ts';
import { createEventFeed } from './event-feed.ts';
import { createFileChecker, stillAsSeen } from './file-checker.ts';
import { createHintedFolders } from './hinted-folders.ts';
import { createHintedPaths } from './hinted-paths.ts';
import { createIntakeLoop } from './intake-loop.ts';
import { createPreWatch } from './pre-watch.ts';
import { createQuietFolders } from './quiet-folders.ts';
import { createReconcileSchedule, type Urgency } from './reconcile-schedule.ts';
import { forgetfulRootMemory, type RootState, startRootGuard } from './root-guard.ts';
import { chooseEventSource } from './source-choice.ts';
import { createWatchAdmission } from './watch-admission.ts';

export type { Intake, IntakeCounts, WatcherOptions } from '../intake.ts';

/** About 35 MB of files being written at the same time. */
const MAX_TRACKED = 100_000;
/** Hints remembered; past it a full reconcile is cheaper. */
const MAX_DIRTY = 50_000;
const ROOT_CHECK_MS = 1_000;

const GONE = 'the folder is gone (deleted, or its mount is lost): nothing is forgotten, waiting for it';
const UNMOUNTED =
  'the folder is empty and is not the one that held files before, as when a disk is not mounted: nothing is taken for deleted, waiting for it; if it is meant to be empty, put a file into it';
const ABSENT_AT_START: Readonly<Record<RootState, string | null>> = {
  present: null,
  missing: 'there is no such folder yet: waiting for it',
  unmounted: UNMOUNTED,
};

// Over 80 lines: puts the parts of the intake together; they need one another, and every line here is a wire between two of them.
/**
 * What arrives: finds the settled files of one folder and makes a job of every version that is neither recorded nor
 * pending. Events are hints, the scan is truth (contract §4): both lead into one file checker, which filters, waits until a
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
  const timing = { settleMs: options.settle, minAgeMs: options.minAge };
  const caughtUp = createCaughtUp(patienceMsOf(timing));
  const schedule = createReconcileSchedule(options.rescan);
  const request = (urgency: Urgency): void => {
    schedule.request(urgency, monotonicMs());
    waker.wake();
  };
  const unobservable = (): void => request('retry');

  const filter = await openSourceFilter(options);
  const hintedPaths = createHintedPaths(MAX_DIRTY, () => request('soon'));
  // What lies on no other machine's disk: the same question as whose clock set a file's times.
  const fileStats = createFileStats(root, () => eventFeed.trustTimes(), monotonicMs);
  const entering = (folder: PathName): void => eventFeed.entering(folder);
  const folders = createHintedFolders({ root, fileStats, filter, entering, unobservable });
  const scan = createFullReconcile({ root, fileStats, source, filter, log, entering, unobservable });
  function hint(path: string): void {
    if (path === '') request('soon');
    else if (!settle.touch(path, monotonicMs())) {
      hintedPaths.mark(path);
      waker.wake();
    }
  }
  const isFollowed = (): boolean => eventFeed.isFollowing();
  const preWatch = createPreWatch({ root, fileStats, filter, entering, isFollowed });
  const eventFeed = createEventFeed({
    root,
    source,
    polling: options.polling,
    rescanMs: options.rescan,
    openSource: () => options.createSource?.(filter) ?? chooseEventSource(root, filter),
    schedule,
    hint,
    request,
    monotonicMs,
    log,
  });

  const { folders: folderPorts } = ports;
  const quiet =
    options.batch == null || folderPorts === undefined
      ? null
      : createQuietFolders({ quietMs: options.batch.quiet, stirred: folderPorts.stirred });

  const { trustTimes } = eventFeed;
  const settle = createSettle({ ...timing, trustTimes, maxTracked: MAX_TRACKED });
  const see = (file: SeenFile, arrival: Arrival): void => {
    guard.holdsFiles();
    const sight = settle.see(file, now(), arrival);
    const open = sight === null || admission.offer(file, sight, arrival);
    if (open) quiet?.touch(file.name, monotonicMs());
  };
  const wallMs = (): number => now().wallMs;
  const reuse: ReuseOptions = {
    ...{ root, contents: ports.contents ?? null, fileStats, uploads: ports.uploads, wallMs },
    rootPresent: async () => (await guard.check()) === 'present',
    take(file, arrival) {
      see(file, arrival);
      // Outside the loop's turn: it may sleep until a later time than this file's.
      waker.wake();
      admission.flushSoon(stopping);
    },
  };
  const sameness = createDiskSameness({ ...reuse, isTrusted: trustTimes, log }, ports, stopping);
  const admission = createWatchAdmission(
    {
      ...{ source, destination, maxPending, log, known: sameness.look },
      unchanged: (files) => stillAsSeen(fileStats, files, (file) => see(file, 'backlog')),
      withoutOwn: (files) => withoutOwnFiles(root, files),
      ...{ wallMs, nowMs: monotonicMs, random: Math.random },
      rules: rulesOf(options, ports.firstStartMs),
      openReuse: (ends) => createReuse(reuse, ends),
    },
    ports,
  );
  const fileChecker = createFileChecker({ fileStats, filter, settle, see, unobservable });
  const lines = createAdmissionLanes(admission, () => waker.wake());

  const { rootMemory = forgetfulRootMemory() } = ports;
  const guard = await startRootGuard(root, ROOT_CHECK_MS, rootMemory, {
    gone(state) {
      log.warn({ source, path: root }, state === 'unmounted' ? UNMOUNTED : GONE);
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
    eventFeed,
    settle,
    hintedPaths,
    folders,
    scan,
    preWatch,
    schedule,
    fileChecker,
    lines,
    caughtUp,
    quiet,
    folderPorts,
    waker,
    log,
    monotonicMs,
  });
  const atStart = ABSENT_AT_START[guard.state()];
  if (atStart !== null) log.warn({ source, path: root }, atStart);

  stopping.addEventListener('abort', () => waker.wake(), { once: true });
  const ended = loop.run(stopping).finally(async () => {
    guard.stop();
    caughtUp.fail(stopping.reason);
    await scan.abandon();
    await folders.abandon();
    await eventFeed.detach();
  });

  return {
    async caughtUp() {
      stopping.throwIfAborted();
      const waiting = caughtUp.wait();
      request('now');
      const unsettled = await waiting;
      await sameness.idle(stopping);
      await admission.passed(stopping);
      return unsettled;
    },
    rescan(first) {
      if (first !== undefined) hint(first);
      request('now');
    },
    unsettled: () => settle.size(),
    inHand: admission.inHand,
    touch(folder) {
      quiet?.touchFolder(folder, monotonicMs());
      waker.wake();
    },
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
