import type { BatchSource } from '../../ledger/store/batch-spec.ts';
import type { BatchProgress } from './batch-runner.ts';
import { emptyTally } from './batch-sink.ts';

/** Nothing is known of it yet. */
export function emptyProgress({ batch, source }: BatchSource): BatchProgress {
  const counts = { members: 0, done: 0, tally: emptyTally() };
  return { batch, source, walked: false, ...counts, end: null, failure: null };
}
