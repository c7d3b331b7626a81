/** Uploads towards a server with a quota that nobody told, on a virtual clock. */
import { createLearnedRate } from '../../src/pacing/learned-rate.ts';
import { seededRandom } from './limit-simulation.ts';

/** Whether a request that arrives now is taken. */
export type QuotaServer = (nowMs: number) => boolean;

export function tokenBucket(perSecond: number, burst: number): QuotaServer {
  let tokens = burst;
  let filledAtMs = 0;
  return (nowMs) => {
    tokens = Math.min(burst, tokens + ((nowMs - filledAtMs) / 1_000) * perSecond);
    filledAtMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

export function slidingWindow(most: number, windowMs: number): QuotaServer {
  let taken: number[] = [];
  return (nowMs) => {
    taken = taken.filter((atMs) => atMs > nowMs - windowMs);
    if (taken.length >= most) return false;
    taken.push(nowMs);
    return true;
  };
}

export function fixedWindow(most: number, windowMs: number): QuotaServer {
  let current = -1;
  let taken = 0;
  return (nowMs) => {
    const window = Math.floor(nowMs / windowMs);
    if (window !== current) taken = 0;
    current = window;
    taken += 1;
    return taken <= most;
  };
}

export interface RateRun {
  readonly server: QuotaServer;
  readonly lastsMs: number;
  readonly rttMs: number;
  readonly seed: number;
}

export interface RateOutcome {
  readonly acceptedAtMs: readonly number[];
  readonly refusedAtMs: readonly number[];
}

/** As the product does: a number in flight that grows with success, and slots at the rate that is learned. */
export function simulateLearnedRate({ server, lastsMs, rttMs, seed }: RateRun): RateOutcome {
  const random = seededRandom(seed);
  const learned = createLearnedRate();
  const events: { readonly atMs: number; readonly run: () => void }[] = [];
  const acceptedAtMs: number[] = [];
  const refusedAtMs: number[] = [];
  let nowMs = 0;
  let inFlight = 0;
  let limit = 1;
  let nextMs = 0;
  let wokenMs = -1;

  function later(delayMs: number, run: () => void): void {
    const atMs = nowMs + delayMs;
    let at = events.length;
    while (at > 0 && (events[at - 1]?.atMs ?? 0) > atMs) at -= 1;
    events.splice(at, 0, { atMs, run });
  }

  function mayGo(): boolean {
    const perSecond = learned.perSecond();
    if (perSecond === null) return true;
    const waitMs = Math.max(learned.restMs(nowMs), nextMs - nowMs);
    if (waitMs > 0.001) {
      if (wokenMs < nowMs + waitMs) later(waitMs, () => undefined);
      wokenMs = Math.max(wokenMs, nowMs + waitMs);
      return false;
    }
    nextMs = Math.max(nowMs, nextMs) + 1_000 / perSecond;
    return true;
  }

  function send(): void {
    const startedAtMs = nowMs;
    const taken = server(nowMs);
    inFlight += 1;
    later(taken ? rttMs * (0.9 + 0.2 * random()) : 5, () => {
      inFlight -= 1;
      limit = taken ? Math.min(64, limit + 1) : Math.max(1, Math.floor(limit * 0.9));
      (taken ? acceptedAtMs : refusedAtMs).push(nowMs);
      if (taken) learned.accepted({ startedAtMs, nowMs });
      else learned.throttled({ startedAtMs, nowMs });
    });
  }

  while (nowMs < lastsMs) {
    while (inFlight < Math.min(limit, learned.mostAtOnce() ?? limit) && mayGo()) send();
    const next = events.shift();
    if (next === undefined) throw new Error('nothing to do');
    nowMs = next.atMs;
    next.run();
  }
  return { acceptedAtMs, refusedAtMs };
}
