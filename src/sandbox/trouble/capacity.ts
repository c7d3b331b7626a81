import { setTimeout as delay } from 'node:timers/promises';
import type { CapacityOptions } from '../options.ts';
import { TokenBucket } from './token-bucket.ts';

export type Admission = 'served' | 'throttled' | 'overloaded' | 'closed';

/**
 * A server with limits the client must find: a quota, `knee` uploads served at once for `serviceMs` each, the rest
 * waiting their turn, and a number in flight above which it refuses. Beyond the knee only latency grows.
 */
export class Capacity {
  readonly #options: CapacityOptions;
  readonly #now: () => number;
  readonly #closed: AbortSignal;
  readonly #quota: TokenBucket | null;
  #serving = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: CapacityOptions, now: () => number, closed: AbortSignal) {
    this.#options = options;
    this.#now = now;
    this.#closed = closed;
    const { quotaPerSecond } = options;
    this.#quota =
      quotaPerSecond === null
        ? null
        : new TokenBucket(quotaPerSecond, Math.max(1, Math.floor(quotaPerSecond)));
  }

  /** Refuses an upload or takes the time it needs. `inFlight` counts this one too. */
  async serve(inFlight: number): Promise<Admission> {
    const { knee, rejectAbove, serviceMs } = this.#options;
    if (rejectAbove !== null && inFlight > rejectAbove) return 'overloaded';
    if (this.#quota?.take(this.#now()) === false) return 'throttled';
    if (knee === null && serviceMs === 0) return 'served';
    if (knee !== null && this.#serving >= knee)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#serving += 1;
    try {
      await delay(serviceMs, undefined, { signal: this.#closed });
      return 'served';
    } catch {
      return 'closed';
    } finally {
      const next = this.#waiting.shift();
      // The place goes to the next in line without being free in between.
      if (next === undefined) this.#serving -= 1;
      else next();
    }
  }
}
