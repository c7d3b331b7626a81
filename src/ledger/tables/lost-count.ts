import type { Ledger } from '../ledger-port.ts';

/**
 * How many jobs Redis has lost in the life of a ledger: gone without a recorded result while their owner looked on. Their
 * files were queued again, and what had been sent before may have been sent twice (G1).
 */
export interface LostCount {
  jobs(): number;
  /** Durable when it returns. Throws SlipwayError `disk_full`, `ledger_unwritable`. */
  add(jobs: number): void;
  /** Back to 0: somebody has seen it. @returns how many there were. Throws like `add`. */
  clear(): number;
}

const KEY = 'jobs';

/** Of a ledger that is only read as well. */
export function openLostCount(ledger: Pick<Ledger, 'table' | 'transact'>): LostCount {
  const table = ledger.table<number, string>('lost-jobs');
  const jobs = (): number => table?.get(KEY) ?? 0;
  return {
    jobs,
    add(more) {
      ledger.transact(() => table?.putSync(KEY, jobs() + more));
    },
    clear: () =>
      ledger.transact(() => {
        const before = jobs();
        table?.putSync(KEY, 0);
        return before;
      }),
  };
}
