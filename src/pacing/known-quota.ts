import type { ConcurrencyOptions } from './options.ts';
import { RATE } from './pacing-constants.ts';

/** A quota of uploads. */
export interface Rate {
  readonly perSecond: number;
}

/**
 * Where a quota is known, its paced rate keeps the start gentle: the slow start of an unknown capacity would only lose
 * the first seconds of it. As many as one assumed round trip takes may be in flight from the first upload on.
 */
export function concurrencyAt(rate: Rate | null, options: ConcurrencyOptions): ConcurrencyOptions {
  if (rate === null) return options;
  const known = Math.ceil((rate.perSecond * RATE.firstRoundTripMs) / 1_000);
  return { ...options, initial: Math.min(options.max, Math.max(options.initial, known)) };
}
