/**
 * - `now`: nothing may wait for it (start, a root that came back, somebody asks).
 * - `soon`: events may have been lost; as soon as scans do not become the main load.
 * - `retry`: part of the tree could not be looked at.
 */
export type Urgency = 'now' | 'soon' | 'retry';

/** Scans that nobody asked for may use a tenth of the time: after one of 1 s, none for 9 s. */
const IDLE_PER_SCAN = 9;
/** A storm of small stalls must not become a storm of small scans. */
const MIN_IDLE_MS = 1_000;
/** A folder that cannot be read now (EMFILE, EIO) may be readable again; not in the next second. */
const RETRY_MS = 30_000;

/** When the next full reconcile is due; monotonic milliseconds, no timer of its own. */
export interface ReconcileSchedule {
  request(urgency: Urgency, nowMs: number): void;
  began(): void;
  /** @param costMs of the scan alone: a scan that waits for room in the queue for an hour has cost no hour */
  ended(nowMs: number, costMs: number): void;
  /** `-Infinity`: at once. */
  dueMs(): number;
  /** From now on this often, but no more often than the scans' own cost allows. */
  setEveryMs(everyMs: number): void;
}

/**
 * A schedule whose first scan is due at once.
 * @param everyMs the periodic one, counted from the end of the last
 */
export function createReconcileSchedule(everyMs: number): ReconcileSchedule {
  let periodMs = everyMs;
  let urgent = true;
  let soon = false;
  let retryMs = Number.POSITIVE_INFINITY;
  let endedMs = 0;
  let idleMs = 0;

  return {
    request(urgency, nowMs) {
      if (urgency === 'now') urgent = true;
      else if (urgency === 'soon') soon = true;
      else retryMs = Math.min(retryMs, nowMs + RETRY_MS);
    },
    began() {
      // Whatever is requested from here on may concern folders the scan has already left, so it counts anew.
      urgent = false;
      soon = false;
      retryMs = Number.POSITIVE_INFINITY;
    },
    ended(nowMs, costMs) {
      endedMs = nowMs;
      idleMs = Math.max(MIN_IDLE_MS, IDLE_PER_SCAN * costMs);
    },
    dueMs() {
      if (urgent) return Number.NEGATIVE_INFINITY;
      const wanted = soon ? endedMs : Math.min(retryMs, endedMs + periodMs);
      return Math.max(wanted, endedMs + idleMs);
    },
    setEveryMs(nextMs) {
      periodMs = nextMs;
    },
  };
}
