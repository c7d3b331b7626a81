/**
 * Allows `burst` at once and `perSecond` on average (GCRA: one number of state).
 * Takes the time as input; a clock that runs back only delays the refill.
 */
export class TokenBucket {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  #theoreticalMs = Number.NEGATIVE_INFINITY;

  constructor(perSecond: number, burst: number) {
    this.#intervalMs = 1_000 / perSecond;
    this.#toleranceMs = this.#intervalMs * (burst - 1);
  }

  /** Takes one; false when none is left. */
  take(nowMs: number): boolean {
    const dueMs = Math.max(this.#theoreticalMs, nowMs);
    if (dueMs - nowMs > this.#toleranceMs + 1e-6) return false;
    this.#theoreticalMs = dueMs + this.#intervalMs;
    return true;
  }
}
