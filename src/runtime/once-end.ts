import type { SourceOwner } from './owner/source-owner.ts';

/** How one source ended under `--once`. `incomplete`: all is recorded but what could not be read. */
export type OnceEnd = 'drained' | 'incomplete' | 'gave-up' | 'stopped';

/** What has to be known of a source's destination, in whatever process the uploads run. */
export interface OnceView {
  /** Nobody sends there until it is mended; false while that is about to be tried. */
  stopped(): boolean;
  trouble(): string | null;
  /** Milliseconds since the epoch; null without trouble. */
  troubleSinceMs(): number | null;
  lastProgressAtMs(): number | null;
  /** When the oldest upload began whose bytes move; null: none does. */
  movingSinceMs(): number | null;
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
): Promise<OnceEnd> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const startedAtMs = Date.now();
  /** A file that has been on its way for a good part of that time, and moves. */
  const longUnderWay = (): boolean => {
    const sinceMs = destination.movingSinceMs();
    return sinceMs !== null && Date.now() - sinceMs > giveUpMs * LONG_SHARE;
  };
  const halted = new Promise<OnceEnd>((resolve) => {
    const look = (): void => {
      // A first try that takes long, and then fails, leaves the same time for the others.
      const sinceMs = Math.max(
        startedAtMs,
        destination.lastProgressAtMs() ?? 0,
        destination.troubleSinceMs() ?? 0,
      );
      const quietMs = Date.now() - sinceMs;
      if (destination.stopped()) resolve('stopped');
      else if (destination.trouble() !== null && quietMs > giveUpMs && !longUnderWay()) resolve('gave-up');
    };
    const timer = setInterval(look, Math.min(LOOK_EVERY_MS, giveUpMs));
    both.addEventListener('abort', () => clearInterval(timer), { once: true });
    look();
  });
  const drained = line.drained(both).then((): OnceEnd => (line.unreadable() > 0 ? 'incomplete' : 'drained'));
  try {
    return await Promise.race([halted, drained]);
  } finally {
    ended.abort();
    drained.catch(() => undefined);
  }
}
