import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Arrival } from '../../domain/lane.ts';
import type { Log } from '../../domain/log.ts';
import type { Waker } from '../../platform/waiting/waker.ts';
import type { AdmissionLanes } from '../admit/admission-lanes.ts';
import type { FolderPorts } from '../ports.ts';
import type { FullReconcile } from '../scan/full-reconcile.ts';
import type { Settle } from '../scan/settle.ts';
import type { CaughtUp } from './caught-up.ts';
import type { EventFeed } from './event-feed.ts';
import type { FileChecker } from './file-checker.ts';
import { GARBLED, type HintedFolders } from './hinted-folders.ts';
import type { HintedPaths } from './hinted-paths.ts';
import type { PreWatch } from './pre-watch.ts';
import type { QuietFolders } from './quiet-folders.ts';
import type { ReconcileSchedule } from './reconcile-schedule.ts';
import type { RootGuard } from './root-guard.ts';

export interface IntakeParts {
  readonly source: string;
  readonly root: string;
  readonly guard: RootGuard;
  readonly eventFeed: EventFeed;
  readonly settle: Settle;
  readonly hintedPaths: HintedPaths;
  readonly folders: HintedFolders;
  readonly scan: FullReconcile;
  readonly preWatch: PreWatch;
  readonly schedule: ReconcileSchedule;
  readonly fileChecker: FileChecker;
  readonly lines: AdmissionLanes;
  readonly caughtUp: CaughtUp;
  /** null: top folders are no batches. */
  readonly quiet: QuietFolders | null;
  readonly folderPorts: FolderPorts | undefined;
  readonly waker: Waker;
  readonly log: Log;
  readonly monotonicMs: () => number;
}

export interface IntakeLoop {
  /** Runs until the signal fires; rejects never. */
  run(signal: AbortSignal): Promise<void>;
  /** Another folder stands at the root: everything begins anew, but what is recorded. */
  rootAppeared(): void;
  /** Full reconciles that have ended. */
  reconciles(): number;
}

/** Files and hints handled per turn: what a more urgent one may have to wait for. */
const TURN = 128;
/** Pause after an error that should not be. */
const RECOVER_MS = 1_000;

/** Looking at a file and asking the ledger about it, against looking alone. */
const LEDGER_PER_LOOK = 3;
/** After so many turns for live files in a row a scan that waits gets one. */
const LIVE_TURNS = 8;

// Over 80 lines: the story is `turn`; every other function is one of its steps, a few lines over the six values that the steps share.
/** The loop of one source: one small thing at a time, the most urgent first, asleep when there is none. */
export function createIntakeLoop(parts: IntakeParts): IntakeLoop {
  const { source, root, guard, eventFeed, settle, hintedPaths, folders, scan, schedule, fileChecker, lines } =
    parts;
  const { preWatch, caughtUp, quiet, folderPorts, waker, log, monotonicMs } = parts;
  let appeared = true;
  let reconciles = 0;
  let liveTurns = 0;
  /** Of what the scan finds: once all was looked through, what is new has come since. */
  let arrival: Arrival = 'backlog';
  /** What the scan that runs has cost so far. */
  let scanMs = 0;

  /** The story. False: there is nothing to do until the next due time, or until somebody wakes the loop. */
  async function turn(signal: AbortSignal): Promise<boolean> {
    if (guard.state() !== 'present') return await missing();
    if (appeared) return await begin();
    const mayScan = settle.hasRoom() && !lines.busy(arrival);
    const scanHasWaited = liveTurns >= LIVE_TURNS && scan.running() && mayScan;
    const found = lines.busy('live') || scanHasWaited ? false : await lookAtLive(signal);
    liveTurns = found ? liveTurns + 1 : 0;
    const busy = found || (await (mayScan ? lookThrough(signal) : lookAhead(signal)));
    lines.start(signal);
    return busy;
  }

  /** False: nothing has been hinted at, and no file's time has come. */
  async function lookAtLive(signal: AbortSignal): Promise<boolean> {
    const due = settle.due(monotonicMs(), TURN);
    // The event of a folder that took a file's place was taken for one of the file.
    if (due.length > 0) for (const path of await fileChecker.lookAgain(due)) hintedPaths.mark(path);
    // Too many files are being written: the rest stays on disk until some are whole (G3).
    else if (!settle.hasRoom()) return false;
    else if (hintedPaths.size() > 0) await lookAtHints();
    else if (folders.pending()) fileChecker.take(await folders.step(signal), 'live');
    else return false;
    return true;
  }

  /** False: nothing is to be scanned now. */
  async function lookThrough(signal: AbortSignal): Promise<boolean> {
    if (scan.running()) await scanOn();
    else if (schedule.dueMs() <= monotonicMs()) beginScan(signal);
    // As scans after lost events: at most a tenth of the time goes into confirming that folders are quiet.
    else if (quiet?.awaitScan(monotonicMs()) === true) schedule.request('soon', monotonicMs());
    else return false;
    return true;
  }

  /** While the first scan waits for room. False: nothing is ahead of it that should be watched and is not. */
  async function lookAhead(signal: AbortSignal): Promise<boolean> {
    if (arrival !== 'backlog' || !scan.running() || !lines.busy('backlog') || !preWatch.pending())
      return false;
    await preWatch.step(signal);
    return true;
  }

  /** Said of the folder, never of its files: a mount that is lost has deleted nothing. */
  async function missing(): Promise<boolean> {
    await scan.abandon();
    await folders.abandon();
    if (caughtUp.pending()) {
      const state = await guard.check();
      const code = state === 'unmounted' ? 'source_unmounted' : 'source_missing';
      if (state !== 'present') caughtUp.fail(new SlipwayError(code, { source, path: root }));
    }
    return guard.state() === 'present';
  }

  /** Events first, then the scan: what arrives between the two is in one of them. */
  async function begin(): Promise<boolean> {
    appeared = false;
    arrival = 'backlog';
    await preWatch.anew();
    await scan.abandon();
    await folders.abandon();
    await eventFeed.attach();
    schedule.request('now', monotonicMs());
    return true;
  }

  async function lookAtHints(): Promise<void> {
    const named: string[] = [];
    for (const path of hintedPaths.take(TURN)) {
      if (!path.includes(GARBLED)) named.push(path);
      // The name leads nowhere, but its folder does.
      else folders.mark(path.slice(0, Math.max(0, path.lastIndexOf('/', path.indexOf(GARBLED)))), 'lossy');
    }
    const found = new Set(await fileChecker.lookAtHints(named));
    for (const path of named) {
      if (found.has(path)) folders.mark(path, 'whole');
      else eventFeed.noFolder(path);
    }
  }

  function beginScan(signal: AbortSignal): void {
    schedule.began();
    scanMs = 0;
    eventFeed.scanBegan();
    caughtUp.scanBegan();
    quiet?.scanBegan();
    scan.begin(signal);
  }

  async function scanOn(): Promise<void> {
    const beganMs = monotonicMs();
    const files = await scan.step();
    const stepMs = monotonicMs() - beganMs;
    if (files !== null) {
      fileChecker.take(files, arrival);
      // Asking the ledger is a cost of the scan, and costs as much.
      scanMs += Math.min(monotonicMs() - beganMs, stepMs * LEDGER_PER_LOOK);
      return;
    }
    schedule.ended(monotonicMs(), scanMs + stepMs);
    reconciles += 1;
    // All that was seen has to be in the queue before a folder is called quiet.
    if (quiet !== null && !(await lines.idle())) return;
    // A scan of a root that went away under it has seen nothing.
    if ((await guard.check()) !== 'present' || appeared) return;
    const { files: total, unobservable } = scan.tally();
    arrival = 'live';
    log.debug({ source, files: total, costMs: Math.round(scanMs + stepMs) }, 'compared the whole folder');
    eventFeed.scanEnded(unobservable === 0);
    caughtUp.scanEnded(settle.nextSeq(), monotonicMs());
    for (const folder of quiet?.scanEnded() ?? []) folderPorts?.quiet(folder);
  }

  /** Only while the root is there: files out of sight are neither whole nor gone. */
  async function tellWhoWaits(): Promise<void> {
    const nowMs = monotonicMs();
    if (lines.busy('live') || lines.busy('backlog')) caughtUp.heldUp(nowMs);
    if (caughtUp.met(settle, nowMs) && (await guard.check()) === 'present') caughtUp.tell(settle, nowMs);
  }

  function sleepMs(): number | null {
    if (guard.state() !== 'present') return null;
    const quietMs = quiet?.nextDueMs() ?? Number.POSITIVE_INFINITY;
    // What waits for its way into the queue wakes the loop when that is free.
    const mayScan = settle.hasRoom() && !lines.busy(arrival);
    const nextScanMs = mayScan ? Math.min(schedule.dueMs(), quietMs) : Number.POSITIVE_INFINITY;
    const nextDueMs = lines.busy('live') ? null : settle.nextDueMs();
    return untilEarliest([nextDueMs, nextScanMs, caughtUp.nextDueMs()], monotonicMs());
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          const busy = await turn(signal);
          await tellWhoWaits();
          if (!busy) await waker.sleep(sleepMs());
        } catch (error) {
          if (signal.aborted) break;
          log.error(
            { source, reason: reasonOf(error) },
            'intake met an unexpected error; comparing the whole folder again',
          );
          await scan.abandon();
          schedule.request('now', monotonicMs());
          await delay(RECOVER_MS, undefined, { signal }).catch(() => {});
        }
      }
      await preWatch.anew();
      await lines.idle();
    },
    rootAppeared() {
      appeared = true;
    },
    reconciles: () => reconciles,
  };
}

/** Milliseconds until the earliest of these moments; null: there is none. */
function untilEarliest(moments: readonly (number | null)[], nowMs: number): number | null {
  const atMs = Math.min(...moments.map((dueMs) => dueMs ?? Number.POSITIVE_INFINITY));
  return atMs === Number.POSITIVE_INFINITY ? null : Math.max(0, atMs - nowMs);
}
