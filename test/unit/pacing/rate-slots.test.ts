import { expect, test, vi } from 'vitest';
import { concurrencyAt } from '../../../src/pacing/known-quota.ts';
import { perSecondOf, rateSchema } from '../../../src/pacing/options.ts';
import {
  createLocalBucket,
  createRateSlots,
  type Lease,
  leaseSize,
  slotIntervalMs,
} from '../../../src/pacing/rate-slots.ts';
import { createRatePace } from '../../../src/traffic/rate-pace.ts';

test('slots are used when they are due, one after the other', () => {
  const slots = createRateSlots(20);
  expect(slots.take(0)).toEqual({ kind: 'empty' });
  slots.add(0, { inMs: 10, count: 2, intervalMs: 60 });
  expect(slots.take(0)).toEqual({ kind: 'wait', ms: 10 });
  expect(slots.take(10)).toEqual({ kind: 'go' });
  expect(slots.take(10)).toEqual({ kind: 'wait', ms: 60 });
  expect(slots.take(70)).toEqual({ kind: 'go' });
  expect(slots.take(70)).toEqual({ kind: 'empty' });
});

test('what a busy process missed is caught up on, but never faster than the quota', () => {
  const slots = createRateSlots(20);
  slots.add(0, { inMs: 0, count: 4, intervalMs: 52 });
  // The process was held up for 160 ms.
  const went: number[] = [];
  for (let nowMs = 160; nowMs < 500; nowMs += 1) if (slots.take(nowMs).kind === 'go') went.push(nowMs);
  expect(went).toEqual([160, 210, 260, 310]);
});

test('slots that nobody needed are gone', () => {
  const slots = createRateSlots(20);
  slots.add(0, { inMs: 0, count: 3, intervalMs: 50 });
  expect(slots.take(1_000)).toEqual({ kind: 'empty' });
});

test('a slot whose upload sent nothing goes to the next one', () => {
  const slots = createRateSlots(1);
  slots.add(0, { inMs: 0, count: 1, intervalMs: 1_000 });
  for (let n = 0; n < 50; n += 1) {
    expect(slots.take(0)).toEqual({ kind: 'go' });
    slots.refund(0);
  }
  expect(slots.take(0)).toEqual({ kind: 'go' });
  expect(slots.take(0)).toEqual({ kind: 'empty' });
});

test('a slot given back that nobody needed is gone', () => {
  const slots = createRateSlots(20);
  for (let n = 0; n < 50; n += 1) slots.refund(0);
  slots.refund(200);
  expect(slots.take(251)).toEqual({ kind: 'go' });
  expect(slots.take(251)).toEqual({ kind: 'empty' });
  expect(slots.inHand()).toBe(0);
});

test('a lease is at most 50 ms of slots, one at least, and no more than wait', () => {
  expect(leaseSize(3, 100)).toBe(1);
  expect(leaseSize(20, 100)).toBe(1);
  expect(leaseSize(1_000, 100)).toBe(50);
  expect(leaseSize(1_000, 4)).toBe(4);
});

test('alone a process takes 95 % of the quota, and its share of that where others are known', () => {
  const bucket = createLocalBucket(20);
  const first = bucket.reserve(0, 1, 1);
  expect(first).toEqual({ inMs: 0, count: 1, intervalMs: slotIntervalMs(20) });
  expect(slotIntervalMs(20)).toBeCloseTo(52.63, 2);
  expect(bucket.reserve(0, 1, 4).inMs).toBeCloseTo(52.63, 2);
  expect(bucket.reserve(0, 1, 4).inMs).toBeCloseTo(52.63 * 5, 0);
  // Slots of the shared bucket are not used twice.
  const after = createLocalBucket(20);
  after.takenUntil(500);
  expect(after.reserve(0, 1, 1).inMs).toBe(500);
});

test('a known quota needs no slow start: the first second of it may be in flight', () => {
  const options = { initial: 1, max: 64, adaptive: true };
  expect(concurrencyAt({ perSecond: 20 }, options).initial).toBe(20);
  expect(concurrencyAt({ perSecond: 1_000 }, options).initial).toBe(64);
  expect(concurrencyAt({ perSecond: 0.5 }, options).initial).toBe(1);
  expect(concurrencyAt({ perSecond: 3 }, { ...options, initial: 8 }).initial).toBe(8);
  expect(concurrencyAt(null, options)).toEqual(options);
});

test('a quota is written per second or per minute', () => {
  expect(perSecondOf(rateSchema.parse({ perSecond: 3 }))).toBe(3);
  expect(perSecondOf(rateSchema.parse({ perMinute: 90 }))).toBe(1.5);
});

test('a pace asks for more before it has run out, and tells when one is due', async () => {
  vi.useFakeTimers();
  const leases: number[] = [];
  const bucket = createLocalBucket(10);
  const went: number[] = [];
  const pace = createRatePace({
    ...{ perSecond: () => 10, fastest: 10 },
    async reserve(count): Promise<Lease> {
      leases.push(count);
      return bucket.reserve(Date.now(), count, 1);
    },
    onReady: go,
    now: Date.now,
  });
  function go(): void {
    while (went.length < 5 && pace.take(5 - went.length)) went.push(Date.now());
  }
  const beganMs = Date.now();
  go();
  await vi.advanceTimersByTimeAsync(1_000);
  const gaps = went.map((atMs, at) => atMs - (went[at - 1] ?? beganMs));
  expect(gaps[0]).toBe(0);
  for (const gap of gaps.slice(1)) expect(gap).toBeGreaterThanOrEqual(105);
  for (const gap of gaps.slice(1)) expect(gap).toBeLessThanOrEqual(107);
  expect(leases).toEqual([1, 1, 1, 1, 1]);
  pace.close();
  vi.useRealTimers();
});
