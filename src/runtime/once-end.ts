import type { DestinationHealth } from './destination-runner.ts';
import type { OwnerLine } from './owner-line.ts';

/** How one source ended under `--once`. `incomplete`: all is recorded but what could not be read. */
export type OnceEnd = 'drained' | 'incomplete' | 'gave-up' | 'stopped';

/** What has to be known of a source's destination, in whatever process the uploads run. */
export interface OnceView {
  health(): DestinationHealth['kind'];
  trouble(): string | null;
  lastProgressAtMs(): number | null;
}

const LOOK_EVERY_MS = 200;

/**
 * Waits until everything that lies in a source's folder is recorded, or its destination is stopped, or nothing has
 * succeeded there for `giveUpMs` while files were failing. A large file under way is no failure.
 */
export async function onceEnd(
  line: OwnerLine,
  destination: OnceView,
  giveUpMs: number,
  signal: AbortSignal,
): Promise<OnceEnd> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const startedAtMs = Date.now();
  const halted = new Promise<OnceEnd>((resolve) => {
    const look = (): void => {
      const quietMs = Date.now() - Math.max(startedAtMs, destination.lastProgressAtMs() ?? 0);
      if (destination.health() === 'stopped') resolve('stopped');
      else if (destination.trouble() !== null && quietMs > giveUpMs) resolve('gave-up');
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
