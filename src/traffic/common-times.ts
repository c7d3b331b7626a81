/** Moments on the clock that all processes of a destination share, in milliseconds since the epoch. */
export interface CommonTimes {
  readonly nowMs: number;
  /** When a file of this process was last accepted; null: never. */
  readonly lastSuccessAtMs: number | null;
  /** When one of any process was, as far as one has heard; null: never. */
  readonly heardSuccessAtMs: number | null;
}

/** What one look at the record of a destination tells about time. */
interface LookAtTime {
  readonly successAgoMs: number | null;
  readonly atMs: number;
}

/**
 * The time of a destination, as this process knows it. A job carries when it failed from host to host, and whether it
 * counts depends on what succeeded since (G6): hosts whose clocks differ by minutes must not compare their own.
 */
export interface CommonTimesKeeper {
  /** A file of this process was accepted. */
  succeeded(): void;
  times(): CommonTimes;
  /** A look begins: how long ago a success was that nobody has been told of, and what to do with the answer. */
  asking(): { readonly succeededAgoMs: number | null; answered(look: LookAtTime): void };
}

/** Clocks this close are not told apart from the way to Redis and back; nor is a look that took longer. */
const SAME_CLOCK_MS = 500;

/** @param now milliseconds since the epoch, by this host's clock */
export function createCommonTimes(now: () => number): CommonTimesKeeper {
  /** Both on this host's clock. */
  let ownSuccessAtMs: number | null = null;
  let anySuccessAtMs: number | null = null;
  let toldSuccessAtMs: number | null = null;
  /** The shared clock, less this host's. */
  let aheadMs = 0;

  return {
    succeeded() {
      ownSuccessAtMs = now();
    },
    times() {
      // One in the future is from before the clock was set back: every failure from now until then would count.
      if (ownSuccessAtMs !== null && ownSuccessAtMs > now()) ownSuccessAtMs = null;
      if (anySuccessAtMs !== null && anySuccessAtMs > now()) anySuccessAtMs = null;
      const common = (atMs: number | null): number | null => (atMs === null ? null : atMs + aheadMs);
      return {
        nowMs: now() + aheadMs,
        lastSuccessAtMs: common(ownSuccessAtMs),
        heardSuccessAtMs: common(anySuccessAtMs),
      };
    },
    asking() {
      const askedAtMs = now();
      const untoldMs = ownSuccessAtMs === toldSuccessAtMs ? null : ownSuccessAtMs;
      return {
        succeededAgoMs: untoldMs === null ? null : Math.max(0, askedAtMs - untoldMs),
        answered({ successAgoMs, atMs }) {
          if (untoldMs !== null) toldSuccessAtMs = untoldMs;
          const tookMs = now() - askedAtMs;
          // Rather too old than too young: a success in doubt counts nothing against a file.
          anySuccessAtMs = successAgoMs === null ? null : askedAtMs - successAgoMs;
          if (tookMs < 0 || tookMs > SAME_CLOCK_MS) return;
          const differenceMs = atMs - (askedAtMs + tookMs / 2);
          aheadMs = Math.abs(differenceMs) <= SAME_CLOCK_MS ? 0 : Math.round(differenceMs);
        },
      };
    },
  };
}
