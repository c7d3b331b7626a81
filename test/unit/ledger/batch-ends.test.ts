import { expect, onTestFinished, test } from 'vitest';
import type { BatchEnd } from '../../../src/domain/batch.ts';
import { openBatchEnds } from '../../../src/ledger/tables/batch-ends.ts';
import { storeIn, testFolder } from '../../support/record-rig.ts';

function endOf(batch: string): BatchEnd {
  return {
    v: 1,
    batch,
    source: 'inbox',
    destination: 'qwen',
    counts: { discovered: 3, uploaded: 1, failed: 1, skipped: 1 },
    startedAt: '2026-11-22T01:02:03.000Z',
    completedAt: '2026-11-22T01:02:09.000Z',
    manifest: `/data/batches/${batch}.manifest.json`,
    manifestSha256: '00',
  };
}

test('ends keep their order and their places, and a batch ends once', async () => {
  const store = await storeIn(testFolder());
  onTestFinished(() => store.close());
  const ends = openBatchEnds(store.ledger);
  const added = store.ledger.transact(() => ['b1', 'b2', 'b1'].map((batch) => ends?.add(endOf(batch))));
  expect(added).toEqual([1, 2, null]);
  expect(ends?.after(0, 10).map(({ seq, end }) => [seq, end.batch])).toEqual([
    [1, 'b1'],
    [2, 'b2'],
  ]);
  expect(ends?.after(1, 10).map(({ end }) => end.batch)).toEqual(['b2']);
  expect(ends?.find('b2')).toEqual(endOf('b2'));
  expect(ends?.find('b3')).toBeNull();
  expect(ends?.last()).toBe(2);
  // All that was recorded lies before it: it need not wait for what comes later.
  store.ledger.transact(() => store.ledger.commit([], 4_711));
  store.ledger.transact(() => ends?.add(endOf('b4')));
  expect(ends?.after(0, 10).map(({ mark }) => mark)).toEqual([0, 0, 4_711]);
});
