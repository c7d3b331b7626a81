import { expect, test } from 'vitest';
import { createSmallReads } from '../../../src/upload/body/small-reads.ts';

test('small files of a local disk are read on the event loop, larger ones are not', () => {
  const reads = createSmallReads(true, () => 0);
  expect(reads.onLoop(0)).toBe(true);
  expect(reads.onLoop(64 * 1024)).toBe(true);
  expect(reads.onLoop(64 * 1024 + 1)).toBe(false);
});

test('nothing of a network file system is read on the event loop', () => {
  expect(createSmallReads(false, () => 0).onLoop(1)).toBe(false);
});

test('slow reads one after the other send the next two seconds through the thread pool', () => {
  let nowMs = 100;
  const reads = createSmallReads(true, () => nowMs);
  for (const ms of [4.9, 5.1, 5.1]) reads.took(ms);
  expect(reads.onLoop(1)).toBe(true);
  reads.took(5.1);
  expect(reads.onLoop(1)).toBe(false);
  nowMs += 1_999;
  expect(reads.onLoop(1)).toBe(false);
  nowMs += 1;
  expect(reads.onLoop(1)).toBe(true);
});

test('a slow read now and then among fast ones changes nothing', () => {
  const reads = createSmallReads(true, () => 0);
  for (let read = 0; read < 2_000; read += 1) {
    reads.took(read % 100 === 0 ? 30 : 0.02);
    expect(reads.onLoop(1)).toBe(true);
  }
});
