import { type Blocker, foremost, isStopped } from '../domain/blocker.ts';
import type { Log } from '../domain/log.ts';
import type { PathName } from '../domain/path-bytes.ts';
import { type Pause, pauseBlocker } from '../domain/pause-list.ts';
import type { Trouble } from '../traffic/last-failure.ts';
import type { SourceOwner } from './owner/source-owner.ts';

/** How one source ended under `--once`. `incomplete`: all is recorded but what could not be read, or
 * is written to all the time. */
export type OnceEnd = 'drained' | 'incomplete' | 'gave-up' | 'stopped';

/** What has to be known of a source's destination, in whatever process the uploads run. */
export interface OnceView {
  /** All that keeps its files from being sent. */
  blockers(): readonly Blocker[];
  /** Why files are failing for now; null since the last success. */
  trouble(): Trouble | null;
  /** Milliseconds since the epoch; null before the first. */
  lastProgressAtMs(): number | null;
  /** When the oldest upload began whose bytes move; null: none does. */
  movingSinceMs(): number | null;
}

/** The same of a source that its user may have paused: what is paused gets nowhere, and says so. */
export function withPauses(view: OnceView, pause: () => Pause | null): OnceView {
  return {
    ...view,
    blockers() {
      const paused = pause();
      return [...(paused === null ? [] : [pauseBlocker(paused)]), ...view.blockers()];
    },
  };
}

/** Short tries that fail move bytes too; they are over before this share of the time has passed. */
const LONG_SHARE = 0.25;

const LOOK_EVERY_MS = 200;

/**
 * Waits until everything that lies in a source's folder is recorded, or its destination is stopped, or nothing has
 * succeeded there for `giveUpMs` while files were failing. A large file under way is no failure.
 */
export async function onceEnd(
  line: SourceOwner,
  destination: OnceView,
  giveUpMs: number,
  signal: AbortSignal,
  log: Log,
): Promise<OnceEnd> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const startedAtMs = Date.now();
  /** A file that has been on its way for a good part of that time, and moves. */
  const longUnderWay = (): boolean => {
    const sinceMs = destination.movingSinceMs();
    return sinceMs !== null && Date.now() - sinceMs > giveUpMs * LONG_SHARE;
  };
  function isOverdue(why: Reason): boolean {
    // A first try that takes long, and then fails, leaves the same time for the others.
    const sinceMs = Math.max(startedAtMs, destination.lastProgressAtMs() ?? 0, why.sinceMs);
    return Date.now() - sinceMs > giveUpMs && !longUnderWay();
  }
  /** What others found is no reason where nothing is to be sent: a first comparison may take long. */
  async function isWaitedFor({ isOurs }: Reason): Promise<boolean> {
    return isOurs || (await line.report().then(({ pending }) => pending > 0));
  }
  const halted = new Promise<OnceEnd>((resolve) => {
    const giveUp = (): void => resolve('gave-up');
    const look = (): void => {
      const why = whyNothingGoes(destination);
      if (isStopped(destination.blockers())) resolve('stopped');
      else if (why !== null && isOverdue(why)) {
        isWaitedFor(why).then((waited) => {
          if (waited) giveUp();
        }, giveUp);
      }
    };
    const timer = setInterval(look, Math.min(LOOK_EVERY_MS, giveUpMs));
    both.addEventListener('abort', () => clearInterval(timer), { once: true });
    look();
  });
  const drained = line.drained(both).then((unsettled): OnceEnd => {
    sayUnsettled(line.plan.name, unsettled, log);
    return line.unreadable() + unsettled.length > 0 ? 'incomplete' : 'drained';
  });
  try {
    return await Promise.race([halted, drained]);
  } finally {
    ended.abort();
    drained.catch(() => undefined);
  }
}

/** Enough to see which they are. */
const MAX_SAID = 20;

function sayUnsettled(source: string, unsettled: readonly PathName[], log: Log): void {
  for (const { path } of unsettled.slice(0, MAX_SAID))
    log.warn({ source, path }, `${path}: it is still being written; left for the next run`);
  if (unsettled.length > MAX_SAID)
    log.warn({ source, files: unsettled.length }, `${unsettled.length} files are still being written`);
}

/** `isOurs`: this run has failed at it, or the user himself has paused it. */
interface Reason {
  readonly sinceMs: number;
  readonly isOurs: boolean;
}

function whyNothingGoes(destination: OnceView): Reason | null {
  const blocker = foremost(destination.blockers());
  if (blocker?.reason === 'paused') return { sinceMs: blocker.sinceMs, isOurs: true };
  const failing = destination.trouble();
  if (failing !== null) return { sinceMs: failing.sinceMs, isOurs: true };
  return blocker === null ? null : { sinceMs: blocker.sinceMs, isOurs: false };
}
