import { ADAPTIVE } from './adaptive-constants.ts';

/** Exponentially weighted mean and deviation of the windows' means. */
export interface RunningMean {
  add(ms: number): void;
  /** Whether `ms` stands out above what was usual; false until something is. */
  isRise(ms: number): boolean;
}

export function createRunningMean(): RunningMean {
  let mean: number | null = null;
  let variance = 0;
  return {
    add(ms) {
      if (mean === null) {
        mean = ms;
        return;
      }
      const difference = ms - mean;
      mean += ADAPTIVE.ewmaAlpha * difference;
      variance = (1 - ADAPTIVE.ewmaAlpha) * (variance + ADAPTIVE.ewmaAlpha * difference ** 2);
    },
    isRise(ms) {
      if (mean === null) return false;
      return ms >= mean + Math.max(ADAPTIVE.deviationScale * Math.sqrt(variance), ADAPTIVE.leastRise * mean);
    },
  };
}
