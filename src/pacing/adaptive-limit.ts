import { ADAPTIVE } from './adaptive-constants.ts';
import type { ConcurrencyOptions } from './options.ts';
import { createRefusalWall, type WallState } from './refusal-wall.ts';
import { createRoundTrips } from './round-trips.ts';
import { createRunningMean } from './running-mean.ts';

export interface FinishedAttempt {
  /** Milliseconds on any clock that only goes forward. */
  readonly nowMs: number;
  /** Of this attempt alone, first byte sent to answer read: never with waiting for a permit or a backoff in it. */
  readonly rttMs: number;
  /** Size of the file. */
  readonly bytes: number;
  /**
   * - `ok`: the far side did the work, whatever it thought of the file. Its time counts.
   * - `backpressure`: it could not keep up: throttled, 503, 504, a time-out, a connection refused or reset.
   * - `neutral`: says nothing about load: aborted, a token refused, a 500 that may be this one file's.
   */
  readonly outcome: 'ok' | 'backpressure' | 'neutral';
}

export interface AdaptiveSnapshot {
  readonly limit: number;
  readonly phase: 'fixed' | 'slow-start' | 'steady';
  /** Running mean of the round trip as measured; null before the first. */
  readonly rttMs: number | null;
  /** Best round trip known, size taken out; null before there is one. */
  readonly bestMs: number | null;
}

/** How many attempts may be in flight towards one destination. Pure: time comes in with every call. */
export interface AdaptiveLimit {
  limit(): number;
  /** @param inFlight attempts under way, this one included */
  started(nowMs: number, inFlight: number): void;
  finished(attempt: FinishedAttempt): void;
  /**
   * What failed lately was an outage and told nothing about capacity: the way back is a slow start up to the limit of
   * before.
   */
  outage(): void;
  snapshot(): AdaptiveSnapshot;
}

/** Decreases further apart than so many round trips belong to different troubles. */
const FOOTING_ROUND_TRIPS = 4;

interface Footing {
  readonly limit: number;
  readonly wall: WallState;
}

/** What one round-trip window has seen. */
interface Window {
  startMs: number;
  /** Whether the limit was what held us back. */
  reached: boolean;
  /** The same of the window before: attempts that end together belong to that one. */
  readonly reachedBefore: boolean;
  sumMs: number;
  samples: number;
}

// Over 80 lines: one controller; its rules are functions of a few lines each that read and write the same ten values.
/**
 * Additive increase, multiplicative decrease, measured per attempt.
 *
 * - slow start (`limit` < `threshold`): +1 per success, which doubles it per round trip; ends at the first back-pressure,
 *   or when round trips are 1.5× the best and a whole window confirms it.
 * - steady: +1 per round-trip window in which the limit was reached; ×0.9 when the window's mean has risen.
 * - back-pressure: ×0.9 of what was in flight, at once, unless that attempt began before the last decrease (its answer
 *   is about the old limit). A limit that brought it is tried again ever more rarely.
 *
 * An outage tells nothing about capacity: when nothing has succeeded since a decrease, the next one leaves the
 * threshold where it was, and the way back up is a slow start to it.
 */
export function createAdaptiveLimit(options: ConcurrencyOptions): AdaptiveLimit {
  if (!options.adaptive) return fixedLimit(options.max);

  const trips = createRoundTrips();
  const usual = createRunningMean();
  const wall = createRefusalWall();
  let limit = options.initial;
  /** Below it growth is a slow start. */
  let threshold = Number.POSITIVE_INFINITY;
  /** The slow start pauses for a window: was that jitter, or a queue over there? */
  let suspected = false;
  let inFlight = 0;
  let lastDecreaseMs = Number.NEGATIVE_INFINITY;
  let succeededSince = true;
  let thresholdFloor = 1;
  let thresholdCutMs = Number.NEGATIVE_INFINITY;
  /** What was in use before the decreases that are under way began. */
  let before: Footing | null = null;
  let window: Window = { startMs: 0, reached: false, reachedBefore: false, sumMs: 0, samples: 0 };

  function startWindow(nowMs: number): void {
    window = {
      startMs: nowMs,
      reached: inFlight >= limit,
      reachedBefore: window.reached,
      sumMs: 0,
      samples: 0,
    };
  }

  function succeeded({ nowMs, rttMs, bytes }: FinishedAttempt): void {
    trips.add({ nowMs, rttMs, bytes }, limit);
    succeededSince = true;
    // What began before a decrease was sent under another limit, and must not undo it.
    if (limit < threshold && !suspected && nowMs - rttMs >= lastDecreaseMs) growFast(nowMs);
    window.sumMs += trips.normalised(rttMs, bytes);
    window.samples += 1;
    if (nowMs - window.startMs >= (trips.measuredMs() ?? 0)) closeWindow(nowMs);
  }

  function growFast(nowMs: number): void {
    if (trips.isOver(trips.recentMs(), ADAPTIVE.slowStartEndRatio)) {
      suspected = true;
      startWindow(nowMs);
    } else if (window.reached || window.reachedBefore) {
      limit = Math.min(options.max, limit + 1);
    }
  }

  function closeWindow(nowMs: number): void {
    const mean = window.sumMs / window.samples;
    if (suspected) confirmSlowStartEnd(mean);
    else if (window.reached && limit >= threshold) adjust(mean, nowMs);
    usual.add(mean);
    startWindow(nowMs);
  }

  /**
   * The doubling overshot by what was in flight when it showed: back by as much as round trips are too long, at most to
   * the half that the attempts just answered had been sent at.
   */
  function confirmSlowStartEnd(mean: number): void {
    suspected = false;
    if (!trips.isOver(mean, ADAPTIVE.slowStartEndRatio)) return;
    const acceptable = ((trips.bestMs() ?? mean) * ADAPTIVE.slowStartEndRatio) / mean;
    limit = Math.max(1, Math.floor(limit * Math.max(0.5, acceptable)));
    threshold = limit;
  }

  function adjust(mean: number, nowMs: number): void {
    // Noise on a link that is about as fast as it ever was is no rise.
    if (usual.isRise(mean) && trips.isOver(mean, ADAPTIVE.slowStartEndRatio)) {
      decrease(limit, nowMs);
    } else if (!trips.isOver(mean, ADAPTIVE.queueingRatio) && limit < options.max && wall.mayPass(limit)) {
      limit += 1;
      threshold = limit;
    }
  }

  function decrease(from: number, nowMs: number): void {
    if (nowMs - lastDecreaseMs > FOOTING_ROUND_TRIPS * (trips.measuredMs() ?? 0))
      before = { limit, wall: wall.state() };
    const known = Number.isFinite(threshold) ? Math.max(limit, threshold) : limit;
    limit = Math.max(1, Math.min(limit, Math.floor(from * ADAPTIVE.decreaseRatio)));
    if (succeededSince) lowerThreshold(known, nowMs);
    succeededSince = false;
    suspected = false;
    lastDecreaseMs = nowMs;
    trips.forgetRecent();
    startWindow(nowMs);
  }

  /** At most to a half per round trip: answers still under way when an outage begins look like a small capacity. */
  function lowerThreshold(known: number, nowMs: number): void {
    if (nowMs - thresholdCutMs >= (trips.measuredMs() ?? 0)) {
      thresholdFloor = Math.floor(known * ADAPTIVE.thresholdRatio);
      thresholdCutMs = nowMs;
    }
    threshold = Math.max(limit, thresholdFloor);
  }

  function pushedBack({ nowMs, rttMs }: FinishedAttempt, wasInFlight: number): void {
    if (nowMs - rttMs < lastDecreaseMs) return;
    const refusedAt = Math.min(limit, wasInFlight);
    const hits = succeededSince;
    decrease(refusedAt, nowMs);
    if (hits) wall.hit(refusedAt, rttMs / Math.max(1, trips.measuredMs() ?? rttMs));
  }

  return {
    limit: () => limit,
    started(nowMs, nowInFlight) {
      // After a pause the window of before says nothing.
      if (inFlight === 0) startWindow(nowMs);
      inFlight = nowInFlight;
      if (inFlight >= limit) window.reached = true;
    },
    finished(attempt) {
      const wasInFlight = Math.max(1, inFlight);
      inFlight = wasInFlight - 1;
      if (attempt.outcome === 'ok') succeeded(attempt);
      if (attempt.outcome === 'backpressure') pushedBack(attempt, wasInFlight);
    },
    outage() {
      if (before === null) return;
      threshold = Math.max(threshold === Number.POSITIVE_INFINITY ? 0 : threshold, before.limit);
      wall.restore(before.wall);
      before = null;
    },
    snapshot: () => ({
      limit,
      phase: limit < threshold ? 'slow-start' : 'steady',
      rttMs: trips.measuredMs(),
      bestMs: trips.bestMs(),
    }),
  };
}

function fixedLimit(max: number): AdaptiveLimit {
  const trips = createRoundTrips();
  return {
    limit: () => max,
    started() {},
    finished(attempt) {
      if (attempt.outcome === 'ok') trips.add(attempt, max);
    },
    outage() {},
    snapshot: () => ({ limit: max, phase: 'fixed', rttMs: trips.measuredMs(), bestMs: trips.bestMs() }),
  };
}
