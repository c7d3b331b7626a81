import { exponential } from './limit-simulation.ts';
import type { PacedServer } from './pacing-simulation.ts';

function jittered(meanMs: number, random: () => number): number {
  return meanMs * (0.9 + 0.2 * random());
}

/** At most so many in any sliding second, which may change with time; a refusal asks for `retryAfterMs`. */
export function slidingQuota(
  perSecond: (nowMs: number) => number,
  serviceMs: number,
  retryAfterMs?: number,
): PacedServer {
  let taken: number[] = [];
  return {
    answer({ nowMs, random }) {
      taken = taken.filter((at) => at > nowMs - 1_000);
      if (taken.length >= perSecond(nowMs)) {
        return {
          rttMs: 5,
          outcome: 'backpressure',
          ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        };
      }
      taken.push(nowMs);
      return { rttMs: jittered(serviceMs, random), outcome: 'ok' };
    },
  };
}

/** So many per window of the clock; a refusal asks to wait for the next one. */
export function windowQuota(perWindow: number, windowMs: number, serviceMs: number): PacedServer {
  let window = -1;
  let taken = 0;
  return {
    answer({ nowMs, random }) {
      const now = Math.floor(nowMs / windowMs);
      if (now !== window) taken = 0;
      window = now;
      if (taken >= perWindow) {
        return { rttMs: 5, outcome: 'backpressure', retryAfterMs: Math.ceil((now + 1) * windowMs - nowMs) };
      }
      taken += 1;
      return { rttMs: jittered(serviceMs, random), outcome: 'ok' };
    },
  };
}

/** A link on which every request in flight takes its share of the time. */
export function slowLink(baseMs: number, perInFlightMs: number): PacedServer {
  return {
    answer: ({ inFlight, random }) => ({
      rttMs: jittered(baseMs + inFlight * perInFlightMs, random),
      outcome: 'ok',
    }),
  };
}

export function steadyLink(rttMs: number): PacedServer {
  return { answer: () => ({ rttMs, outcome: 'ok' }) };
}

/** A fixed part and an exponential one, of which `share` is jitter. */
export function jitteryLink(rttMs: number, share: number): PacedServer {
  return {
    answer: ({ random }) => ({ rttMs: rttMs * (1 - share + share * exponential(random)), outcome: 'ok' }),
  };
}

/** Above so many in flight it answers 503. */
export function defersAbove(most: number, rttMs: number): PacedServer {
  return {
    answer: ({ inFlight, random }) =>
      inFlight > most
        ? { rttMs: 5, outcome: 'backpressure' }
        : { rttMs: jittered(rttMs, random), outcome: 'ok' },
  };
}

/** Above so many in flight it says nothing at all: the client's own time-out is what it notices. */
export function dropsAbove(most: number, rttMs: number, timeoutMs: number): PacedServer {
  return {
    answer: ({ inFlight, random }) =>
      inFlight > most
        ? { rttMs: timeoutMs, outcome: 'backpressure' }
        : { rttMs: jittered(rttMs, random), outcome: 'ok' },
  };
}
