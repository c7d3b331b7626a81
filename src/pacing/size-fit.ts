import { ADAPTIVE } from './adaptive-constants.ts';

/** Takes the size of the file out of a round-trip time, so that one large file does not look like congestion. */
export interface SizeFit {
  add(rttMs: number, bytes: number): void;
  /** What this round trip would have been for an empty file, in milliseconds. */
  normalised(rttMs: number, bytes: number): number;
}

/**
 * Online least squares of `ms = a + b × bytes`, older samples fading. Samples weigh by 1/ms², since noise grows with the
 * time taken: else one large file decides what an empty one costs. Only the shape b/a is used, so that a slower
 * destination still shows as slower.
 */
export function createSizeFit(): SizeFit {
  let count = 0;
  let w = 0;
  let wx = 0;
  let wy = 0;
  let wxx = 0;
  let wxy = 0;
  /** b / a */
  let shape = 0;

  function refit(): void {
    const spread = w * wxx - wx * wx;
    shape = 0;
    if (count < ADAPTIVE.fitSamples || spread <= ADAPTIVE.fitSpread * wx * wx) return;
    const slope = Math.max(0, (w * wxy - wx * wy) / spread);
    const meanMs = wy / w;
    const fixed = Math.max(ADAPTIVE.fitFixedShare * meanMs, meanMs - slope * (wx / w));
    shape = slope / fixed;
  }

  return {
    add(rttMs, bytes) {
      const weight = 1 / Math.max(1, rttMs) ** 2;
      count += 1;
      w = w * ADAPTIVE.fitMemory + weight;
      wx = wx * ADAPTIVE.fitMemory + weight * bytes;
      wy = wy * ADAPTIVE.fitMemory + weight * rttMs;
      wxx = wxx * ADAPTIVE.fitMemory + weight * bytes * bytes;
      wxy = wxy * ADAPTIVE.fitMemory + weight * bytes * rttMs;
      refit();
    },
    normalised: (rttMs, bytes) => rttMs / (1 + shape * bytes),
  };
}
