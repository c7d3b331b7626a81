import { describe, expect, test } from 'vitest';
import { createLearnedRate } from '../../../src/pacing/learned-rate.ts';
import {
  fixedWindow,
  type QuotaServer,
  type RateOutcome,
  simulateLearnedRate,
  slidingWindow,
  tokenBucket,
} from '../../support/rate-simulation.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const SEEDS = [1, 2, 3, 4, 5];

function refusedShare({ acceptedAtMs, refusedAtMs }: RateOutcome, fromMs = 0): number {
  const after = (moments: readonly number[]): number => moments.filter((atMs) => atMs >= fromMs).length;
  return after(refusedAtMs) / (after(acceptedAtMs) + after(refusedAtMs));
}

const SERVERS: readonly [string, (perSecond: number) => QuotaServer][] = [
  ['a bucket of a second', (perSecond) => tokenBucket(perSecond, perSecond)],
  ['a bucket of one', (perSecond) => tokenBucket(perSecond, 1)],
  ['a sliding second', (perSecond) => slidingWindow(perSecond, SECOND)],
  ['seconds of the clock', (perSecond) => fixedWindow(perSecond, SECOND)],
];

describe.each([1, 5, 10])('a quota of %i a second that nobody told', (perSecond) => {
  test.each(SERVERS)('in %s is used, at a few refusals', (_what, server) => {
    for (const rttMs of [50, 300]) {
      for (const seed of SEEDS) {
        const outcome = simulateLearnedRate({ server: server(perSecond), lastsMs: 2 * MINUTE, rttMs, seed });
        expect(outcome.acceptedAtMs.length / (perSecond * 120), 'used').toBeGreaterThanOrEqual(0.77);
        expect(refusedShare(outcome), 'refused').toBeLessThanOrEqual(0.1);
        expect(refusedShare(outcome, 30 * SECOND), 'refused after 30 s').toBeLessThanOrEqual(0.07);
      }
    }
  });
});

test.each([1, 5])('a quota of %i a second that is raised tenfold is used within a minute', (perSecond) => {
  const before = tokenBucket(perSecond, perSecond);
  const after = tokenBucket(perSecond * 10, perSecond * 10);
  const server: QuotaServer = (nowMs) => (nowMs < 2 * MINUTE ? before(nowMs) : after(nowMs));
  const { acceptedAtMs } = simulateLearnedRate({ server, lastsMs: 3.5 * MINUTE, rttMs: 100, seed: 3 });
  const inFiveSeconds = acceptedAtMs.filter((atMs) => atMs >= 2 * MINUTE + 55 * SECOND && atMs < 3 * MINUTE);
  expect(inFiveSeconds.length / 5).toBeGreaterThanOrEqual(perSecond * 9);
});

test('three a minute is found from a first guess of three a second, in ten requests or so that are refused', () => {
  for (const seed of SEEDS) {
    const server = slidingWindow(3, MINUTE);
    const outcome = simulateLearnedRate({ server, lastsMs: 10 * MINUTE, rttMs: 300, seed });
    expect(outcome.acceptedAtMs.length).toBeGreaterThanOrEqual(18);
    expect(outcome.refusedAtMs.length).toBeLessThanOrEqual(15);
  }
});

test('without a refusal nothing is held back, and what was accepted before a pause counts for nothing', () => {
  const learned = createLearnedRate();
  for (let n = 0; n < 50; n += 1) learned.accepted({ startedAtMs: n * MINUTE, nowMs: n * MINUTE + 100 });
  expect([learned.perSecond(), learned.restMs(50 * MINUTE)]).toEqual([null, 0]);
  const nowMs = 50 * MINUTE;
  for (let n = 0; n < 20; n += 1) learned.accepted({ startedAtMs: nowMs, nowMs: nowMs + 100 });
  learned.throttled({ startedAtMs: nowMs + 200, nowMs: nowMs + 300 });
  // Twenty within a second, not seventy within an hour.
  expect(learned.perSecond()).toBeGreaterThan(15);
  expect(learned.restMs(nowMs + 400)).toBeGreaterThan(0);
});

test('an outage teaches no rate, and what is refused for ever is tried every half minute', () => {
  const learned = createLearnedRate();
  for (let n = 0; n < 20; n += 1) learned.unavailable({ startedAtMs: n * SECOND, nowMs: n * SECOND + 5 });
  expect(learned.perSecond()).toBeNull();
  for (let n = 0; n < 20; n += 1) learned.throttled({ startedAtMs: n * MINUTE, nowMs: n * MINUTE + 5 });
  expect(1 / (learned.perSecond() ?? 0)).toBeLessThan(35);
});
