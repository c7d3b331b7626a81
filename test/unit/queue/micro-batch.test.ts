import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { microBatch } from '../../../src/queue/bullmq-layout/micro-batch.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function rig(under: number) {
  const goes: number[][] = [];
  const facts = { under };
  const { add } = microBatch<number>(
    () => facts.under,
    (items) => goes.push([...items]),
  );
  return { add, goes, facts };
}

test('what comes alone goes at once', async () => {
  const { add, goes } = rig(0);
  add(1);
  await turn();
  add(2);
  await turn();
  expect(goes).toEqual([[1], [2]]);
});

test('what comes in one turn goes together, however it gets there', async () => {
  const { add, goes } = rig(0);
  add(1);
  await Promise.resolve();
  add(2);
  void Promise.resolve().then(() => add(3));
  await turn();
  expect(goes).toEqual([[1, 2, 3]]);
});

test('while many are under way they go once ten are there, in order', async () => {
  const { add, goes } = rig(24);
  for (let n = 1; n <= 23; n += 1) {
    add(n);
    await turn();
  }
  expect(goes).toEqual([
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    [11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
  ]);
});

test('nobody waits longer than 5 ms for others', () => {
  const { add, goes } = rig(24);
  add(1);
  vi.advanceTimersByTime(3);
  add(2);
  expect(goes).toEqual([]);
  vi.advanceTimersByTime(2);
  expect(goes).toEqual([[1, 2]]);
  add(3);
  vi.advanceTimersByTime(4);
  expect(goes).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(goes[1]).toEqual([3]);
});

test('half as many as are under way are enough', async () => {
  const { add, goes, facts } = rig(4);
  add(1);
  await turn();
  expect(goes).toEqual([]);
  add(2);
  await turn();
  expect(goes).toEqual([[1, 2]]);
  facts.under = 2;
  add(3);
  await turn();
  expect(goes).toEqual([[1, 2], [3]]);
  // The wait for others that was begun before is over.
  expect(vi.getTimerCount()).toBe(0);
});
