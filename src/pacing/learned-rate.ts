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
  /** So many under way and no more, before anything is known; null: as many as can be. */
  mostAtOnce(): number | null;
  /** Nothing is to be sent for so long: a refusal was a moment ago. Milliseconds. */
  restMs(nowMs: number): number;
  /** What other processes of the destination should know; null: nothing is known. */
  estimate(nowMs: number): RateEstimate | null;
  /** Another process has learned this. */
  adopt(estimate: RateEstimate | null, nowMs: number): void;
  /** One more with every change of what `estimate` tells. */
  version(): number;
}

/** A quota as one process has found it. */
export interface RateEstimate {
  readonly perSecond: number;
  /** Nothing is accepted for now: it is tried again in so long. Milliseconds; 0: it is accepted. */
  readonly closedMs: number;
}

// Over 80 lines: six numbers that every answer changes together; in parts each would need all of them.
/**
 * Nobody has learned anything yet.
 * - the first refusal: what was accepted until then, in a second at least, is the quota.
 * - a refusal of what was sent since: the quota is what was being sent, or a little less.
 * - a refusal although nothing was accepted since the one before: it is counted in more than seconds. Nothing is sent until the
 *   next unit could be over, and what was accepted from its beginning until something is accepted again is the quota.
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
  /** Nothing was accepted since the window that it closed; what began before `sinceMs` is still on its way. */
  let closed: { readonly untilMs: number; readonly sinceMs: number } | null = null;
  let version = 0;
  /** Accepted at all. */
  let ever = 0;

  function set(perSecond: number, nowMs: number): void {
    quota = Math.min(LEARNED.most, Math.max(LEARNED.least, perSecond));
    changedAtMs = nowMs;
    window = { sinceMs: nowMs, accepted: 0 };
    version += 1;
  }

  function forget(): void {
    quota = null;
    isFound = false;
    closed = null;
    measuredIn = null;
    inVain = 0;
    window = { sinceMs: null, accepted: 0 };
    version += 1;
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
    if (accepted > 0) {
      measuredIn = null;
      set(known * LEARNED.early, nowMs);
      return;
    }
    inVain += 1;
    const sinceMs = changedAtMs;
    set(known, nowMs);
    closed = { untilMs: nowMs + closedRestMs(measuredIn, inVain, nowMs), sinceMs };
  }

  /** It takes something again: what it took before, in the time until now, is the quota. */
  function reopened(startedAtMs: number, nowMs: number): void {
    const before = measuredIn;
    // A minute, if it was more than a few seconds: nothing beyond it is tried soon.
    const isMinute = inVain > 1 || (before?.accepted ?? 0) <= LEARNED.fewAccepted;
    closed = null;
    inVain = 0;
    measuredIn = null;
    if (before === null) {
      set(quota ?? LEARNED.first, nowMs);
      return;
    }
    if (before.accepted === 0 || before.sinceMs === null) {
      forget();
      window = { sinceMs: startedAtMs, accepted: 1 };
      return;
    }
    set((before.accepted * 1_000) / Math.max(LEARNED.leastSpanMs, startedAtMs - before.sinceMs), nowMs);
    isFound = isMinute && before.accepted > 1;
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
      ever += 1;
      if (closed !== null && startedAtMs >= changedAtMs) {
        reopened(startedAtMs, nowMs);
        return;
      }
      if (closed !== null && startedAtMs >= closed.sinceMs) {
        // It was on its way when the next was refused: not closed, only a little too fast.
        closed = null;
        inVain = 0;
        set((quota ?? LEARNED.first) * LEARNED.early, nowMs);
        return;
      }
      window.sinceMs ??= startedAtMs;
      if (closed === null) inVain = 0;
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
        forget();
      }
      return quota === null ? null : quota * share();
    },
    restMs(nowMs) {
      if (quota === null) return 0;
      if (closed !== null) return Math.max(0, closed.untilMs - nowMs);
      // What was used up in a burst comes back with its window; and the next one is as far away as any other.
      const restMs = Math.max(LEARNED.restMs, 1_000 / (quota * share()));
      return Math.max(0, changedAtMs + restMs - nowMs);
    },
    mostAtOnce: () => (ever <= LEARNED.knownAfter ? LEARNED.mostUnknown : null),
    estimate: (nowMs) =>
      quota === null
        ? null
        : { perSecond: quota, closedMs: closed === null ? 0 : Math.max(0, closed.untilMs - nowMs) },
    adopt(estimate, nowMs) {
      forget();
      if (estimate === null) return;
      set(estimate.perSecond, nowMs);
      isFound = true;
      // Whoever found it closed tries it first.
      const untilMs = nowMs + estimate.closedMs * LEARNED.followerShare;
      if (estimate.closedMs > 0) closed = { untilMs, sinceMs: nowMs };
    },
    version: () => version,
  };
}

/**
 * Until it is tried again whether it takes something. Quotas are counted in seconds or in minutes, hardly in between: after
 * a few accepted and a second in vain it is the minute since the first of them, as any try in between would be refused.
 */
function closedRestMs(measured: Window | null, inVain: number, nowMs: number): number {
  const accepted = measured?.accepted ?? 0;
  if (accepted <= 1) return Math.min(LEARNED.minuteMs, LEARNED.restMs * 2 ** inVain);
  if (accepted > LEARNED.fewAccepted && inVain === 1) return LEARNED.secondsMs;
  const endsInMs = (measured?.sinceMs ?? nowMs) + LEARNED.minuteMs - nowMs;
  return endsInMs > LEARNED.restMs ? endsInMs : LEARNED.minuteMs;
}

interface Window {
  sinceMs: number | null;
  accepted: number;
}

function inWindow({ sinceMs, accepted, endMs }: Window & { readonly endMs: number }): number {
  return (accepted * 1_000) / Math.max(LEARNED.leastSpanMs, endMs - (sinceMs ?? endMs));
}
