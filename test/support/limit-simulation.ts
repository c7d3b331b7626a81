import { type AdaptiveLimit, createAdaptiveLimit } from '../../src/pacing/adaptive-limit.ts';
import type { ConcurrencyOptions } from '../../src/pacing/options.ts';

/** How a simulated server answers one request. */
export interface SimulatedAnswer {
  readonly rttMs: number;
  readonly outcome: 'ok' | 'backpressure' | 'neutral';
}

export interface SimulatedServer {
  /** @param inFlight requests it is working on, this one included; @param random uniform in [0, 1) */
  answer(request: { nowMs: number; inFlight: number; bytes: number; random: () => number }): SimulatedAnswer;
}

export interface SimulationOptions {
  readonly files: number;
  readonly concurrency: ConcurrencyOptions;
  readonly server: SimulatedServer;
  readonly seed: number;
  readonly bytesOf?: (random: () => number) => number;
  /** A rejected file goes to the back of the queue after this. */
  readonly retryDelayMs?: number;
}

export interface SimulationResult {
  readonly finishMs: number;
  readonly requests: number;
  readonly rejectedShare: number;
  readonly peakInFlight: number;
  readonly meanInFlight: number;
  /** The limit over the second half of the run. */
  readonly settledLimit: number;
  readonly limitAt: readonly (readonly [nowMs: number, limit: number])[];
}

/** A seeded source of randomness (mulberry32): the same seed gives the same run. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Mean 1, always positive. */
export function exponential(random: () => number): number {
  return -Math.log(1 - random());
}

interface Flight {
  readonly endMs: number;
  readonly startMs: number;
  readonly bytes: number;
  readonly outcome: SimulatedAnswer['outcome'];
}

/** Sends `files` through an adaptive limit on a virtual clock; every slot the limit gives is used at once. */
export function simulate(options: SimulationOptions): SimulationResult {
  const random = seededRandom(options.seed);
  const limiter: AdaptiveLimit = createAdaptiveLimit(options.concurrency);
  const waiting = Array.from({ length: options.files }, () => options.bytesOf?.(random) ?? 4096);
  const delayed: { readyMs: number; bytes: number }[] = [];
  const flying: Flight[] = [];
  const limitAt: [number, number][] = [];
  let nowMs = 0;
  let requests = 0;
  let rejected = 0;
  let done = 0;
  let peakInFlight = 0;
  let inFlightMs = 0;

  while (done < options.files) {
    while (flying.length < limiter.limit() && waiting.length > 0) {
      const bytes = waiting.shift() ?? 0;
      const answer = options.server.answer({ nowMs, inFlight: flying.length + 1, bytes, random });
      flying.push({ startMs: nowMs, endMs: nowMs + answer.rttMs, bytes, outcome: answer.outcome });
      flying.sort((a, b) => a.endMs - b.endMs);
      requests += 1;
      peakInFlight = Math.max(peakInFlight, flying.length);
      limiter.started(nowMs, flying.length);
    }
    const nextEndMs = flying[0]?.endMs ?? Number.POSITIVE_INFINITY;
    const nextReadyMs = delayed[0]?.readyMs ?? Number.POSITIVE_INFINITY;
    const nextMs = Math.min(nextEndMs, nextReadyMs);
    inFlightMs += flying.length * (nextMs - nowMs);
    nowMs = nextMs;
    if (nextReadyMs <= nextEndMs) {
      waiting.push(delayed.shift()?.bytes ?? 0);
      continue;
    }
    const flight = flying.shift();
    if (flight === undefined) throw new Error('nothing to do and not done');
    const { bytes, outcome } = flight;
    limiter.finished({ nowMs, rttMs: nowMs - flight.startMs, bytes, outcome });
    limitAt.push([nowMs, limiter.limit()]);
    if (outcome === 'ok') {
      done += 1;
    } else {
      rejected += 1;
      delayed.push({ readyMs: nowMs + (options.retryDelayMs ?? 500) * random(), bytes });
      delayed.sort((a, b) => a.readyMs - b.readyMs);
    }
  }
  const secondHalf = limitAt.slice(limitAt.length >> 1);
  return {
    finishMs: nowMs,
    requests,
    rejectedShare: rejected / requests,
    peakInFlight,
    meanInFlight: inFlightMs / nowMs,
    settledLimit: secondHalf.reduce((sum, [, limit]) => sum + limit, 0) / secondHalf.length,
    limitAt,
  };
}
