/**
 * May a small file be read on the event loop? From a local disk's cache that takes some 20 µs and saves four trips
 * through the thread pool, about a third of the processor time of an upload. From a disk that is slow, or not there
 * any more, it would hold up everything else: so never on a network file system, and after one slow read everything
 * goes through the thread pool for a while.
 */
export interface SmallReads {
  /** @param bytes of the file */
  onLoop(bytes: number): boolean;
  /** Told how long a read on the event loop took. */
  took(ms: number): void;
}

/** Larger ones gain little and hold the loop longer. */
const MAX_BYTES = 64 * 1024;
/** A read that went to a disk instead of to its cache. */
const SLOW_MS = 5;
const PAUSE_MS = 2_000;

/**
 * @param localDisk false for network file systems and where nobody knows
 * @param monotonicMs a clock that never goes back
 */
export function createSmallReads(localDisk: boolean, monotonicMs: () => number): SmallReads {
  let pausedUntilMs = Number.NEGATIVE_INFINITY;
  return {
    onLoop: (bytes) => localDisk && bytes <= MAX_BYTES && monotonicMs() >= pausedUntilMs,
    took(ms) {
      if (ms > SLOW_MS) pausedUntilMs = monotonicMs() + PAUSE_MS;
    },
  };
}
