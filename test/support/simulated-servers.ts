import { exponential, type SimulatedServer } from './limit-simulation.ts';

/** ±`share` of the mean, uniform. */
function jittered(meanMs: number, share: number, random: () => number): number {
  return meanMs * (1 - share + 2 * share * random());
}

/** Work is done by `knee` hands in the order it came; a request that finds `rejectAbove` in the house gets a quick 503. */
export function kneeServer(knee: number, rejectAbove: number, serviceMs: number): SimulatedServer {
  const freeAtMs = Array.from({ length: knee }, () => 0);
  let endsMs: number[] = [];
  return {
    answer({ nowMs, random }) {
      endsMs = endsMs.filter((endMs) => endMs > nowMs);
      if (endsMs.length >= rejectAbove) return { rttMs: 2, outcome: 'backpressure' };
      const earliest = freeAtMs.indexOf(Math.min(...freeAtMs));
      const startMs = Math.max(nowMs, freeAtMs[earliest] ?? 0);
      const endMs = startMs + jittered(serviceMs, 0.2, random);
      freeAtMs[earliest] = endMs;
      endsMs.push(endMs);
      return { rttMs: endMs - nowMs, outcome: 'ok' };
    },
  };
}

/** The same time whatever is asked of it. */
export function constantServer(rttMs: number): SimulatedServer {
  return { answer: () => ({ rttMs, outcome: 'ok' }) };
}

/** A fixed part and an exponential one of the same mean: a few answers take five times the usual. */
export function jitteryServer(baseMs: number): SimulatedServer {
  return { answer: ({ random }) => ({ rttMs: baseMs * (1 + exponential(random)), outcome: 'ok' }) };
}

/** Round trips grow by `ratio` for each request in flight beyond `knee`: pushing harder makes it do less. */
export function collapsingServer(baseMs: number, knee: number, ratio: number): SimulatedServer {
  return {
    answer: ({ inFlight, random }) => ({
      rttMs: jittered(baseMs * ratio ** Math.max(0, inFlight - knee), 0.1, random),
      outcome: 'ok',
    }),
  };
}

/** Never congested; the time is a fixed part and the bytes. */
export function sizedServer(fixedMs: number, bytesPerMs: number): SimulatedServer {
  return {
    answer: ({ bytes, random }) => ({
      rttMs: jittered(fixedMs + bytes / bytesPerMs, 0.15, random),
      outcome: 'ok',
    }),
  };
}

/** At most `perSecond` in any sliding second; the others get a quick 429. */
export function quotaServer(perSecond: number, serviceMs: number): SimulatedServer {
  let takenMs: number[] = [];
  return {
    answer({ nowMs, random }) {
      takenMs = takenMs.filter((at) => at > nowMs - 1000);
      if (takenMs.length >= perSecond) return { rttMs: 5, outcome: 'backpressure' };
      takenMs.push(nowMs);
      return { rttMs: jittered(serviceMs, 0.1, random), outcome: 'ok' };
    },
  };
}

/** Refuses everything between the two moments. */
export function outageServer(inner: SimulatedServer, fromMs: number, untilMs: number): SimulatedServer {
  return {
    answer: (request) =>
      request.nowMs >= fromMs && request.nowMs < untilMs
        ? { rttMs: 3, outcome: 'backpressure' }
        : inner.answer(request),
  };
}

/** Sizes with a long tail (lognormal, sigma 1.5) and a mean of 1 MB. */
export function heavyTailedBytes(random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.round(1e6 * Math.exp(1.5 * normal - 1.5 ** 2 / 2));
}
