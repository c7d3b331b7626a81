import type { DestinationBlocker } from '../domain/blocker.ts';
import type { Log } from '../domain/log.ts';
import { GATE } from '../pacing/pacing-constants.ts';
import { formatDuration } from '../platform/units.ts';
import type { SharedDestination } from './shared-destination.ts';

/** Holds a whole destination for as long as a `Retry-After` asks, in all processes. */
export interface RetryAfterPause {
  /** What a 429 asked for; short waits are the job's own business. */
  asked(retryAfterMs: number | null): void;
  /** null: open. */
  blocker(): DestinationBlocker | null;
  /** Whether it is shut for so long that jobs in hand should go back. */
  handsBack(): boolean;
  close(): void;
}

export function createRetryAfterPause(options: {
  readonly destination: string;
  readonly shared: SharedDestination;
  readonly onChange: () => void;
  readonly log: Log;
  readonly now: () => number;
}): RetryAfterPause {
  const { destination, shared, onChange, log, now } = options;
  let shutUntilMs = 0;
  let shutSinceMs = 0;
  let timer: NodeJS.Timeout | null = null;
  const leftMs = (): number => Math.max(0, shutUntilMs - now());

  shared.onView(({ gateInMs, liftedAgoMs }) => {
    if (gateInMs > 0) return shut(gateInMs);
    if (leftMs() <= GATE.longMs) return;
    // Nothing but `resume` shortens it; what is gone without it, Redis has lost.
    if (liftedAgoMs !== null && liftedAgoMs <= now() - shutSinceMs) open();
    else shared.shutGate(leftMs());
  });

  function shut(ms: number): void {
    // The record tells the same end every second, a few milliseconds off.
    if (now() + ms <= shutUntilMs + 50) return;
    if (leftMs() === 0) shutSinceMs = now();
    shutUntilMs = now() + ms;
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(open, ms);
    if (ms > GATE.parkedMs) {
      const fields = { destination, resumesAt: new Date(shutUntilMs).toISOString() };
      log.warn(
        fields,
        `destination ${destination} asks to be left alone for ${formatDuration(ms)}: its files wait`,
      );
    }
    onChange();
  }

  function open(): void {
    if (timer !== null) clearTimeout(timer);
    shutUntilMs = 0;
    onChange();
  }

  return {
    asked(retryAfterMs) {
      if (retryAfterMs === null || retryAfterMs <= GATE.longMs) return;
      const ms = Math.min(GATE.mostMs, retryAfterMs);
      if (now() + ms <= shutUntilMs + 50) return;
      shared.shutGate(ms);
      shut(ms);
    },
    blocker() {
      if (leftMs() === 0) return null;
      const message = `asks to be left alone until ${new Date(shutUntilMs).toISOString()}`;
      const times = { sinceMs: shutSinceMs, untilMs: shutUntilMs };
      return { reason: 'retry-after', ...times, message, passes: 'none' };
    },
    handsBack: () => leftMs() > GATE.handBackMs,
    close() {
      if (timer !== null) clearTimeout(timer);
    },
  };
}
