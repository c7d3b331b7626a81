import { expect, test } from 'vitest';
import { type AdaptiveLimit, createAdaptiveLimit } from '../../../src/pacing/adaptive-limit.ts';

const options = { initial: 1, max: 64, adaptive: true };

/** Fills the limit, then lets everything in flight end together, `rounds` times over. Returns the time after. */
function roundTrips(limiter: AdaptiveLimit, rounds: number, nowMs: number, rttMs = 100): number {
  let atMs = nowMs;
  for (let round = 0; round < rounds; round += 1) {
    const inFlight = limiter.limit();
    for (let count = 1; count <= inFlight; count += 1) limiter.started(atMs, count);
    atMs += rttMs;
    for (let count = 0; count < inFlight; count += 1) {
      limiter.finished({ nowMs: atMs, rttMs, bytes: 4096, outcome: 'ok' });
    }
  }
  return atMs;
}

test('the limit doubles per round trip until the maximum', () => {
  const limiter = createAdaptiveLimit(options);
  const limits: number[] = [];
  let nowMs = 0;
  for (let round = 0; round < 7; round += 1) {
    limits.push(limiter.limit());
    nowMs = roundTrips(limiter, 1, nowMs);
  }
  expect(limits).toEqual([1, 2, 4, 8, 16, 32, 64]);
  roundTrips(limiter, 3, nowMs);
  expect(limiter.limit()).toBe(64);
});

test('it starts at `initial`', () => {
  expect(createAdaptiveLimit({ ...options, initial: 12 }).limit()).toBe(12);
});

test('a trickle that never reaches the limit does not move it', () => {
  const limiter = createAdaptiveLimit({ ...options, initial: 4 });
  for (let file = 0; file < 200; file += 1) {
    const nowMs = file * 5000;
    limiter.started(nowMs, 1);
    // Slower and slower: not our doing.
    limiter.finished({ nowMs: nowMs + 100 + file, rttMs: 100 + file, bytes: 1, outcome: 'ok' });
  }
  expect(limiter.limit()).toBe(4);
});

test('back-pressure takes a tenth off at once, and answers to older attempts take no more', () => {
  const limiter = createAdaptiveLimit(options);
  const nowMs = roundTrips(limiter, 5, 0);
  expect(limiter.limit()).toBe(32);
  for (let count = 1; count <= 32; count += 1) limiter.started(nowMs, count);
  limiter.finished({ nowMs: nowMs + 5, rttMs: 5, bytes: 1, outcome: 'backpressure' });
  expect(limiter.limit()).toBe(28);
  for (let count = 0; count < 5; count += 1) {
    limiter.finished({ nowMs: nowMs + 6, rttMs: 6, bytes: 1, outcome: 'backpressure' });
  }
  expect(limiter.limit()).toBe(28);
  expect(limiter.snapshot().phase).toBe('steady');
});

test('after back-pressure it grows by one per round trip', () => {
  const limiter = createAdaptiveLimit(options);
  let nowMs = roundTrips(limiter, 5, 0);
  for (let count = 1; count <= 32; count += 1) limiter.started(nowMs, count);
  limiter.finished({ nowMs: nowMs + 5, rttMs: 5, bytes: 1, outcome: 'backpressure' });
  for (let count = 1; count < 32; count += 1) {
    limiter.finished({ nowMs: nowMs + 100, rttMs: 100, bytes: 4096, outcome: 'ok' });
  }
  const before = limiter.limit();
  nowMs = roundTrips(limiter, 2, nowMs + 100);
  expect(limiter.limit()).toBeGreaterThan(before);
  expect(limiter.limit()).toBeLessThanOrEqual(before + 2);
});

test('it never falls below one', () => {
  const limiter = createAdaptiveLimit(options);
  for (let nowMs = 0; nowMs < 1000; nowMs += 10) {
    limiter.started(nowMs, 1);
    limiter.finished({ nowMs: nowMs + 5, rttMs: 5, bytes: 1, outcome: 'backpressure' });
  }
  expect(limiter.limit()).toBe(1);
});

test('steady time-outs are back-pressure, not a slow link', () => {
  const limiter = createAdaptiveLimit({ ...options, initial: 32 });
  for (let round = 0; round < 40; round += 1) {
    const inFlight = limiter.limit();
    for (let count = 1; count <= inFlight; count += 1) limiter.started(round * 60_000, count);
    for (let count = 0; count < inFlight; count += 1) {
      limiter.finished({ nowMs: (round + 1) * 60_000, rttMs: 60_000, bytes: 1, outcome: 'backpressure' });
    }
  }
  expect(limiter.limit()).toBe(1);
});

test('neutral endings move nothing', () => {
  const limiter = createAdaptiveLimit({ ...options, initial: 4 });
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) {
    for (let count = 1; count <= 4; count += 1) limiter.started(nowMs, count);
    for (let count = 0; count < 4; count += 1) {
      limiter.finished({ nowMs: nowMs + 90, rttMs: 90, bytes: 1, outcome: 'neutral' });
    }
  }
  expect(limiter.limit()).toBe(4);
  expect(limiter.snapshot()).toMatchObject({ rttMs: null, bestMs: null });
});

test('a route that became slower for good is the new normal after a while', () => {
  const limiter = createAdaptiveLimit({ initial: 1, max: 64, adaptive: true });
  let nowMs = roundTrips(limiter, 4, 0);
  for (let count = 1; count <= 16; count += 1) limiter.started(nowMs, count);
  limiter.finished({ nowMs: nowMs + 1, rttMs: 1, bytes: 1, outcome: 'backpressure' });
  for (let count = 1; count < 16; count += 1) {
    limiter.finished({ nowMs: nowMs + 100, rttMs: 100, bytes: 4096, outcome: 'ok' });
  }
  nowMs = roundTrips(limiter, 4, nowMs + 100, 400);
  const stuck = limiter.limit();
  // Four times slower: two doublings of the remembered best later it grows again.
  roundTrips(limiter, 3000, nowMs, 400);
  expect(limiter.limit()).toBeGreaterThan(stuck + 20);
});
