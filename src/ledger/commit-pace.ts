/** How many entries one transaction takes, so that none holds up the event loop for long. */
export interface CommitPace {
  /** For the next transaction. */
  size(): number;
  /** How long the last one took. */
  took(entries: number, ms: number): void;
}

/**
 * A transaction is synchronous (a full disk must throw, not end the process), so its length is the stall. A third of
 * what may be noticed: a disk that is suddenly slow makes one of them longer than the last.
 */
const TARGET_MS = 35;
/** Fewer only multiply the price of a sync, which is what takes long then. */
const MIN_ENTRIES = 100;
const MAX_ENTRIES = 1_000;
const FIRST_ENTRIES = 200;
const GROWTH = 1.5;
/** One that took long may only have met another process on the processor or the disk. */
const MOST_SHRINK = 2;

/** For a ledger that nobody else in this process waits for. */
export const WHOLE_PACE: CommitPace = { size: () => MAX_ENTRIES, took: () => undefined };

/** Smaller at once after one that took too long, larger again step by step. */
export function createCommitPace(): CommitPace {
  let size = FIRST_ENTRIES;
  return {
    size: () => size,
    took(entries, ms) {
      if (ms > TARGET_MS) {
        const bearable = Math.floor((entries * TARGET_MS) / ms);
        size = Math.max(MIN_ENTRIES, Math.floor(size / MOST_SHRINK), bearable);
      }
      // A part that was not full says nothing about a larger one.
      else if (entries >= size) size = Math.min(MAX_ENTRIES, Math.ceil(size * GROWTH));
    },
  };
}
