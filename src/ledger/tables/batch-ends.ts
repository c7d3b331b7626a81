import type { BatchEnd } from '../../domain/batch.ts';
import type { Ledger } from '../ledger-port.ts';

/** A batch that has ended, and its place in the order of the ends. */
export interface NumberedBatchEnd {
  /** From 1 on, ascending, never used again. */
  readonly seq: number;
  readonly end: BatchEnd;
  /** Journal byte that all of its receipts lie before. */
  readonly mark: number;
}

/** Of a ledger from before there was one: nothing is known but that the receipts are in the journal. */
const UNKNOWN_MARK = Number.MAX_SAFE_INTEGER;

/** As it is stored. */
interface StoredEnd extends BatchEnd {
  readonly mark?: number;
}

/** The batches of one source that have ended, in the ledger: what webhooks tell of them is read from here. */
export interface BatchEnds {
  /**
   * Writes one down, behind all that is recorded by now. To be called inside `ledger.transact`, with whatever else ends
   * the batch.
   * @param mark left out: what is recorded by now
   * @returns its place, or null: this batch has ended before
   */
  add(end: BatchEnd, mark?: number): number | null;
  /** The oldest behind a place, at most `limit`. */
  after(seq: number, limit: number): NumberedBatchEnd[];
  find(batch: string): BatchEnd | null;
  /** Place of the newest; 0: none. */
  last(): number;
}

const PLACE = 'place:';

/** @returns null: a reader, of a ledger without batches */
export function openBatchEnds(ledger: Ledger): BatchEnds | null {
  const ends = ledger.table<StoredEnd, number>('batch-ends');
  const quota = ledger.table<number, string>('batch-end-places');
  if (ends === null || quota === null) return null;

  function last(): number {
    for (const seq of ends?.getKeys({ reverse: true, limit: 1 }) ?? []) return seq;
    return 0;
  }

  return {
    add(end, mark = ledger.mark()) {
      if (quota.get(PLACE + end.batch) !== undefined) return null;
      const seq = last() + 1;
      ends.putSync(seq, { ...end, mark });
      quota.putSync(PLACE + end.batch, seq);
      return seq;
    },
    after(seq, limit) {
      const found: NumberedBatchEnd[] = [];
      for (const { key, value } of ends.getRange({ start: seq + 1, limit })) {
        const { mark = UNKNOWN_MARK, ...end } = value;
        found.push({ seq: key, end, mark });
      }
      return found;
    },
    find(batch) {
      const seq = quota.get(PLACE + batch);
      const stored = seq === undefined ? undefined : ends.get(seq);
      if (stored === undefined) return null;
      const { mark: _, ...end } = stored;
      return end;
    },
    last,
  };
}
