/**
 * May a small file be read on the event loop? From a local disk's cache that takes some 20 µs and saves four trips
 * through the thread pool, about a third of the processor time of an upload. From a disk that is slow, or not there
 * any more, it would hold up everything else: so never on a network file system, and after a few slow reads everything
 * goes through the thread pool for a while. Not after one: on a busy machine that was most often a processor that was
 * taken away, and then the dearer way is the wrong answer.
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
/** So many slow ones are no accident, unless each is followed by so many fast ones. */
const MAX_SLOW = 3;
const FAST_PER_SLOW = 64;
const PAUSE_MS = 2_000;

/**
 * @param localDisk false for network file systems and where nobody knows
 * @param monotonicMs a clock that never goes back
 */
export function createSmallReads(localDisk: boolean, monotonicMs: () => number): SmallReads {
  let pausedUntilMs = Number.NEGATIVE_INFINITY;
  let slow = 0;
  return {
    onLoop: (bytes) => localDisk && bytes <= MAX_BYTES && monotonicMs() >= pausedUntilMs,
    took(ms) {
      slow = ms > SLOW_MS ? slow + 1 : Math.max(0, slow - 1 / FAST_PER_SLOW);
      if (slow <= MAX_SLOW - 1) return;
      pausedUntilMs = monotonicMs() + PAUSE_MS;
      slow = 0;
    },
  };
}
