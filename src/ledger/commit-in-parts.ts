import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CommitPace, createCommitPace } from './commit-pace.ts';
import type { LedgerEntry } from './ledger-entry.ts';
import type { Ledger } from './ledger-port.ts';

/** One per process: what was learnt of the disk holds for all of its sources. */
const PACE = createCommitPace();

/**
 * Commits entries whose lines follow one another in the journal, in as many durable transactions as it takes to hold
 * up the event loop for a moment only. The mark advances with each: after a kill, or an error, the rest is replayed.
 * @param mark journal bytes covered once all are in
 * @returns how many were new
 * @throws SlipwayError `disk_full`, `ledger_unwritable`
 */
export async function commitInParts(
  ledger: Pick<Ledger, 'commit'>,
  entries: readonly LedgerEntry[],
  mark: number,
  pace: CommitPace = PACE,
): Promise<number> {
  return await inParts(entries, (part, isLast) => ledger.commit(part, isLast ? mark : endOf(part)), pace);
}

/**
 * Hands items to transactions, as many to each as the event loop can bear; it turns between two. Called once for none.
 * @param commit a transaction, synchronous; returns a count
 * @returns the sum of the counts
 */
export async function inParts<T>(
  items: readonly T[],
  commit: (part: readonly T[], isLast: boolean) => number,
  pace: CommitPace = PACE,
): Promise<number> {
  let sum = 0;
  for (let start = 0; ; ) {
    const size = pace.size();
    const isLast = start + size >= items.length;
    const part = start === 0 && isLast ? items : items.slice(start, start + size);
    const beganMs = performance.now();
    sum += commit(part, isLast);
    if (part.length > 0) pace.took(part.length, performance.now() - beganMs);
    if (isLast) return sum;
    start += size;
    await nextTurn();
  }
}

/** The byte after the newline of the last line. */
function endOf(entries: readonly LedgerEntry[]): number {
  const last = entries.at(-1);
  return last === undefined ? 0 : last.offset + last.length + 1;
}
