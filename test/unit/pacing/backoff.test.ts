import { expect, test } from 'vitest';
import { fullJitterMs } from '../../../src/pacing/backoff.ts';

const options = { baseDelayMs: 500, maxDelayMs: 30_000 };
const most = () => 1 - Number.EPSILON;

test('the upper end doubles with every failure up to the cap', () => {
  const ends = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => fullJitterMs(attempt, options, most));
  expect(ends).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

test('the delay is spread over the whole range down to nothing', () => {
  expect(fullJitterMs(3, options, () => 0)).toBe(0);
  expect(fullJitterMs(3, options, () => 0.25)).toBe(500);
});

test('any number of failures stays within the cap', () => {
  expect(fullJitterMs(5000, options, most)).toBe(30_000);
  expect(fullJitterMs(0, options, most)).toBe(500);
});
