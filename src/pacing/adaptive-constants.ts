/** Every number of the adaptive limit, with its reason. Tuned on the simulated servers of the tests. */
export const ADAPTIVE = {
  /** Keeps most of what was found: regaining half of a large limit at +1 per round trip takes minutes. */
  decreaseRatio: 0.9,
  /** Least share of the limit, per round trip, up to which a recovery is a slow start. */
  thresholdRatio: 0.5,
  /** Weight of the newest window in the running mean and deviation: forgets within about five windows. */
  ewmaAlpha: 0.4,
  /** A window's mean this many deviations above the running mean is a rise, not noise. */
  deviationScale: 2.5,
  /** A rise smaller than this share of the mean is no rise: on a steady link the deviation goes to nothing. */
  leastRise: 0.25,
  /** Round trips this many times the best one end the slow start: requests have begun to queue over there. */
  slowStartEndRatio: 1.5,
  /** No growth beyond: a whole round trip is spent waiting in their queue, and more in flight only lengthens it. */
  queueingRatio: 2,
  /** Least number of round trips averaged before they are compared with the best: one fast answer is luck. */
  recentSamples: 8,
  /** Half a window of them once the limit is large: few enough to notice soon, many enough to even out jitter. */
  recentShare: 0.5,
  /** Round-trip windows to wait below a limit that brought back-pressure; doubles with every repetition at that limit. */
  firstPatience: 1,
  /** At a limit of 5, trying 6 in every window would get one request in six refused. More patience finds new capacity too late. */
  mostPatience: 16,
  /** Where back-pressure is a time-out, a try costs its whole length: so many times that are spent below first. */
  costPatience: 4,
  /** Windows, however long the time-out. */
  mostCostlyPatience: 2_000,
  /** The best round trip is forgotten upwards, doubling in this time, so that a slower route becomes the new normal. */
  bestDoublesMs: 5 * 60_000,
  /** Weight of the newest round trip in the mean that tells how long a window is. */
  measuredAlpha: 0.1,
  /** Weight kept by the size fit's older samples: about 200 uploads are remembered. */
  fitMemory: 0.995,
  /** Uploads needed before the fit is believed. */
  fitSamples: 8,
  /** Files whose sizes vary less than this (variance over squared mean) say nothing about the cost of a byte. */
  fitSpread: 0.01,
  /** Least share of a mean upload's time taken as fixed cost: a fit through noise must not make it zero. */
  fitFixedShare: 0.05,
} as const;
