import { readFileSync } from 'node:fs';

/** How often the loop's pulse is taken. */
const TICK_MS = 100;
/** A loop that stood still this long cannot have read the kernel's event queue meanwhile. */
const STALL_MS = 300;
/** Longest wait for calm: a burst without end is scanned all the same. */
const MAX_WAIT_MS = 2_000;
/** Linux's own default of fs.inotify.max_queued_events. */
const DEFAULT_QUEUED_EVENTS = 16_384;

export type Suspicion = 'stall' | 'burst';

/**
 * Decides from the pulse whether events may have been lost. Neither Node nor chokidar learns of a queue overflow on
 * Linux, so it is inferred: the loop stood still, or more came at once than a healthy queue would hold. Says so only
 * after a calm tick: then the queue has been read, and what is not yet on disk will raise an event again.
 */
export interface OverflowSuspicion {
  /**
   * @param gapMs since the tick before
   * @param events told since the tick before
   */
  tick(gapMs: number, events: number): Suspicion | null;
}

/** @param burstEvents more in one tick than this is a burst */
export function createOverflowSuspicion(burstEvents: number): OverflowSuspicion {
  let suspicion: Suspicion | null = null;
  let waitedMs = 0;
  return {
    tick(gapMs, events) {
      const found: Suspicion | null = gapMs > STALL_MS ? 'stall' : events > burstEvents ? 'burst' : null;
      waitedMs = suspicion === null ? 0 : waitedMs + gapMs;
      suspicion ??= found;
      if (suspicion === null || (found !== null && waitedMs < MAX_WAIT_MS)) return null;
      const said = suspicion;
      suspicion = null;
      return said;
    },
  };
}

export interface StallDetector {
  /** Counts one event. */
  event(): void;
  stop(): void;
}

/**
 * Takes the pulse until stopped; does not keep the process alive.
 * @param onSuspicion called when a full reconcile is needed
 */
export function startStallDetector(
  onSuspicion: (suspicion: Suspicion) => void,
  monotonicMs: () => number,
): StallDetector {
  const suspicion = createOverflowSuspicion(burstLimit());
  let lastMs = monotonicMs();
  let events = 0;
  const timer = setInterval(() => {
    const nowMs = monotonicMs();
    const said = suspicion.tick(nowMs - lastMs, events);
    lastMs = nowMs;
    events = 0;
    if (said !== null) onSuspicion(said);
  }, TICK_MS).unref();
  return {
    event() {
      events += 1;
    },
    stop: () => clearInterval(timer),
  };
}

/** An eighth of the queue: a full one is read within one or two ticks, and some events are told twice. */
function burstLimit(): number {
  let queued = Number.NaN;
  try {
    queued = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
  } catch {
    // Not Linux: its queues are unknown, and no smaller.
  }
  return Math.ceil((queued > 0 ? queued : DEFAULT_QUEUED_EVENTS) / 8);
}
