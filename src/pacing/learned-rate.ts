import { LEARNED } from './pacing-constants.ts';

/** An attempt as the learner sees it. */
export interface RatedAttempt {
  /** Milliseconds on any clock that only goes forward. */
  readonly startedAtMs: number;
  readonly nowMs: number;
}

/**
 * A quota that nobody told, found from what is accepted between two refusals. Null as long as nothing was refused for it.
 * Pure: time comes in with every call.
 */
export interface LearnedRate {
  accepted(attempt: RatedAttempt): void;
  /** @param asked it came with a `Retry-After`: a single one of those says enough itself */
  throttled(attempt: RatedAttempt, asked?: boolean): void;
  /** A 503: an outage where nothing is accepted between them, and a refusal for the rate where something is. */
  unavailable(attempt: RatedAttempt): void;
  /** Uploads per second that may be sent now; null: nothing is known, and nothing has to be. */
  perSecond(): number | null;
  /** Nothing is to be sent for so long: a refusal was a moment ago. Milliseconds. */
  restMs(nowMs: number): number;
}

// Over 80 lines: six numbers that every answer changes together; in parts each would need all of them.
/**
 * Nobody has learned anything yet.
 * - the first refusal: what was accepted until then, in a second at least, is the quota.
 * - a refusal of what was sent since: the quota is what was being sent, or a little less; with nothing accepted, half.
 * - afterwards: a little below the quota for some requests, up to it over as many again, and then ever faster beyond, until the
 *   next refusal: so that one request in twenty or so is refused, and a larger quota is found soon.
 */
export function createLearnedRate(): LearnedRate {
  let quota: number | null = null;
  let window: Window = { sinceMs: null, accepted: 0 };
  /** The one that the quota was measured in: answers to what was sent in it still come. */
  let measuredIn: (Window & { readonly endMs: number }) | null = null;
  let changedAtMs = Number.NEGATIVE_INFINITY;
  let lastMs = Number.NEGATIVE_INFINITY;
  let lastAskedMs = Number.NEGATIVE_INFINITY;
  let inVain = 0;
  /** Whether it was reached from below; before that it is sought in larger steps. */
  let isFound = false;

  function set(perSecond: number, nowMs: number): void {
    quota = Math.min(LEARNED.most, Math.max(LEARNED.least, perSecond));
    changedAtMs = nowMs;
    window = { sinceMs: nowMs, accepted: 0 };
  }

  /** From the accepted of the window that ends now. */
  function measure(nowMs: number): number {
    measuredIn = { ...window, endMs: nowMs };
    return inWindow(measuredIn);
  }

  /** Of the quota, after so many were accepted at it. */
  function share(): number {
    const { hold: least, climb, growth, holdS } = isFound ? LEARNED.found : LEARNED.sought;
    const hold = Math.max(least, (quota ?? 0) * holdS);
    const beyond = window.accepted - hold - climb;
    if (beyond > 0) return growth ** beyond;
    const climbed = Math.max(0, window.accepted - hold) / climb;
    return LEARNED.below + (1 - LEARNED.below) * climbed;
  }

  /** A refusal of what was sent at the rate that holds. */
  function refused(known: number, nowMs: number): void {
    const { accepted } = window;
    if (accepted >= LEARNED.leastAccepted) {
      const sent = known * share();
      set(Math.min(sent, Math.max(measure(nowMs), sent * LEARNED.reached)), nowMs);
      isFound = true;
      return;
    }
    measuredIn = null;
    if (accepted > 0) {
      set(known * LEARNED.early, nowMs);
      return;
    }
    inVain += 1;
    isFound = false;
    set(known * (inVain > LEARNED.vainHalvings ? LEARNED.vainLater : LEARNED.vain), nowMs);
  }

  function throttled({ startedAtMs, nowMs }: RatedAttempt, asked = false): void {
    const isSingle = asked && nowMs - lastAskedMs > LEARNED.singleMs;
    if (asked) lastAskedMs = nowMs;
    if (quota === null && isSingle) return;
    if (quota === null) {
      const found = Math.max(measure(nowMs), LEARNED.first);
      if (found <= LEARNED.most) set(found, nowMs);
    } else if (startedAtMs >= changedAtMs) refused(quota, nowMs);
  }

  return {
    throttled,
    unavailable(attempt) {
      if (window.accepted > 0) throttled(attempt);
    },
    accepted({ startedAtMs, nowMs }) {
      // What was accepted before a pause says nothing about how many there are in a second.
      if (quota === null && startedAtMs - lastMs > LEARNED.pauseMs)
        window = { sinceMs: startedAtMs, accepted: 0 };
      lastMs = nowMs;
      window.sinceMs ??= startedAtMs;
      inVain = 0;
      if (quota === null || startedAtMs >= changedAtMs) {
        window.accepted += 1;
        return;
      }
      if (measuredIn === null || startedAtMs < (measuredIn.sinceMs ?? 0)) return;
      measuredIn.accepted += 1;
      quota = Math.max(quota, inWindow(measuredIn));
    },
    perSecond() {
      if (quota !== null && quota * share() > LEARNED.most) {
        // Nothing was refused all the way up: there is none any more.
        quota = null;
        isFound = false;
        window = { sinceMs: null, accepted: 0 };
      }
      return quota === null ? null : quota * share();
    },
    restMs(nowMs) {
      if (quota === null) return 0;
      // What was used up in a burst comes back with its window; and the next one is as far away as any other.
      const restMs = Math.max(LEARNED.restMs, 1_000 / (quota * share()));
      return Math.max(0, changedAtMs + restMs - nowMs);
    },
  };
}

interface Window {
  sinceMs: number | null;
  accepted: number;
}

function inWindow({ sinceMs, accepted, endMs }: Window & { readonly endMs: number }): number {
  return (accepted * 1_000) / Math.max(LEARNED.leastSpanMs, endMs - (sinceMs ?? endMs));
}
