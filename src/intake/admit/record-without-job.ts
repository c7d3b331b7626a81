import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { Outcome } from '../../domain/receipt.ts';
import { createCondition } from '../../platform/waiting/condition.ts';
import type { Candidate } from './candidate.ts';

/** Receipts on their way at once: several batches of the recorder, so that it never waits for the next. */
const MAX_ON_THE_WAY = 2_000;

/** `N`: what has to be known of the need that it meets. */
export interface JoblessReceipt<N = Candidate> {
  readonly need: N;
  readonly outcome: Outcome;
}

/** Receipts that need no job: handed to the recorder, so many at a time. */
export interface RecordWithoutJob<N> {
  /** Resolves when they are on their way, which is at once unless too many are; rejects when the signal fires. */
  settle(receipts: readonly JoblessReceipt<N>[], signal: AbortSignal): Promise<void>;
}

/** @param options.done told of those that are durable, and of those that cannot be kept any more: found again at a start */
export function createRecordWithoutJob<N>(options: {
  readonly record: (outcomes: readonly Outcome[]) => Promise<void>;
  readonly done: (needs: readonly N[]) => void;
  readonly log: Log;
}): RecordWithoutJob<N> {
  const { record, done, log } = options;
  const condition = createCondition();
  let onTheWay = 0;

  async function handOver(receipts: readonly JoblessReceipt<N>[]): Promise<void> {
    onTheWay += receipts.length;
    try {
      await record(receipts.map(({ outcome }) => outcome));
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'receipts without a job are not recorded now');
    } finally {
      onTheWay -= receipts.length;
      done(receipts.map(({ need }) => need));
      condition.changed();
    }
  }

  return {
    async settle(receipts, signal) {
      if (receipts.length === 0) return;
      await condition.until(() => onTheWay < MAX_ON_THE_WAY, signal);
      void handOver(receipts);
    },
  };
}
