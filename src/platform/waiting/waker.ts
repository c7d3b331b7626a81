/** Lets one loop sleep until something happens or a time has come. */
export interface Waker {
  /** Ends the current sleep, or the next one. */
  wake(): void;
  /** @param ms at most this long; null without limit */
  sleep(ms: number | null): Promise<void>;
}

/** A Node timer holds 2^31 - 1 ms; a longer one fires at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** Awake. */
export function createWaker(): Waker {
  let woken = false;
  let end: (() => void) | null = null;
  return {
    wake() {
      woken = true;
      end?.();
    },
    async sleep(ms) {
      if (!woken && (ms === null || ms > 0)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = ms === null ? undefined : setTimeout(resolve, Math.min(Math.ceil(ms), MAX_TIMER_MS));
        end = resolve;
        await promise;
        end = null;
        clearTimeout(timer);
      }
      woken = false;
    },
  };
}
