export interface BackoffOptions {
  /** Upper end of the first delay. */
  readonly baseDelayMs: number;
  /** Upper end of every delay. */
  readonly maxDelayMs: number;
}

/**
 * Full jitter: anywhere from 0 to `baseDelayMs` × 2^(attempt - 1), capped at `maxDelayMs`. Clients that failed together
 * spread out instead of coming back together, for the fewest calls of the jitter forms compared.
 * @param attempt failures so far, the first one being 1
 * @param random uniform in [0, 1)
 * @returns whole milliseconds
 */
export function fullJitterMs(attempt: number, options: BackoffOptions, random: () => number): number {
  // 2^1024 is Infinity, which the cap absorbs: no attempt number can overflow this.
  const ceilingMs = Math.min(options.maxDelayMs, options.baseDelayMs * 2 ** Math.max(0, attempt - 1));
  return Math.round(random() * ceilingMs);
}
