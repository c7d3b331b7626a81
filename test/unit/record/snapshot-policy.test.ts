import { expect, test } from 'vitest';
import { ascending } from '../../../src/ledger/offset-order.ts';
import { fitsBudget, nextRefreshAtMs } from '../../../src/record/manifest/snapshot-policy.ts';

test('refreshing back to back never takes more than a twentieth of the time', () => {
  let nowMs = 0;
  let busyMs = 0;
  let last = null;
  for (const durationMs of [10, 500, 30, 2_000, 1, 1]) {
    nowMs = Math.max(nowMs, nextRefreshAtMs(last));
    nowMs += durationMs;
    busyMs += durationMs;
    last = { endedAtMs: nowMs, durationMs };
  }
  expect(busyMs / nextRefreshAtMs(last)).toBeLessThanOrEqual(0.05 + 1e-9);
});

test('the first refresh may come at once', () => {
  expect(nextRefreshAtMs(null)).toBe(0);
});

test('at stop a refresh is made only when it fits what is left of the drain', () => {
  expect(fitsBudget(1_000, 10_000, null)).toBe(true);
  expect(fitsBudget(1_000, 1_000_000, null)).toBe(false);
  expect(fitsBudget(1_000, 10, { endedAtMs: 0, durationMs: 1_001 })).toBe(false);
  expect(fitsBudget(0, 0, null)).toBe(true);
});

test.each([0, 1, 49_999, 130_000])('%i offsets come out ascending and complete', async (count) => {
  const offsets = Float64Array.from({ length: count }, (_, index) => (index * 7_919) % 200_003);
  expect(await ascending(offsets.slice(), 200_003)).toEqual(offsets.slice().sort());
});
