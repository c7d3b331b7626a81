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

test.each<[string, () => QuotaServer]>([
  ['a bucket of three', () => tokenBucket(3 / 60, 3)],
  ['a sliding minute', () => slidingWindow(3, MINUTE)],
  ['minutes of the clock', () => fixedWindow(3, MINUTE)],
])(
  'three a minute in %s: in ten minutes one in ten is refused at most, and hardly one left unused',
  (_what, server) => {
    for (const rttMs of [50, 300]) {
      for (const seed of SEEDS) {
        const outcome = simulateLearnedRate({ server: server(), lastsMs: 10 * MINUTE, rttMs, seed });
        expect(outcome.acceptedAtMs.length / 30, 'used').toBeGreaterThanOrEqual(0.85);
        expect(refusedShare(outcome), 'refused').toBeLessThanOrEqual(0.1);
        expect(refusedShare(outcome, 30 * SECOND), 'refused after 30 s').toBe(0);
      }
    }
  },
);

test('what was on its way when the next was refused shows that nothing is closed', () => {
  const learned = createLearnedRate();
  for (let n = 0; n < 10; n += 1) learned.accepted({ startedAtMs: 0, nowMs: 100 });
  learned.throttled({ startedAtMs: 900, nowMs: 1_000 });
  learned.throttled({ startedAtMs: 2_200, nowMs: 2_210 });
  expect(learned.restMs(2_210)).toBeGreaterThan(5_000);
  learned.accepted({ startedAtMs: 2_100, nowMs: 2_400 });
  expect(learned.restMs(2_400)).toBeLessThanOrEqual(1_000);
  expect(learned.perSecond()).toBeGreaterThan(5);
});

test('where the whole quota is used up by others before this process comes, it begins anew when that is over', () => {
  const learned = createLearnedRate();
  learned.throttled({ startedAtMs: 0, nowMs: 5 });
  learned.throttled({ startedAtMs: 1_100, nowMs: 1_105 });
  const restMs = learned.restMs(1_105);
  expect(restMs).toBeGreaterThan(1_000);
  learned.accepted({ startedAtMs: 1_105 + restMs, nowMs: 1_200 + restMs });
  expect(learned.perSecond()).toBeNull();
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

test('an outage teaches no rate, and what is refused for ever is tried every minute', () => {
  const learned = createLearnedRate();
  for (let n = 0; n < 20; n += 1) learned.unavailable({ startedAtMs: n * SECOND, nowMs: n * SECOND + 5 });
  expect(learned.perSecond()).toBeNull();
  for (let n = 0; n < 20; n += 1) learned.throttled({ startedAtMs: n * MINUTE, nowMs: n * MINUTE + 5 });
  const restMs = learned.restMs(19 * MINUTE + 5);
  expect(restMs).toBeGreaterThan(30 * SECOND);
  expect(restMs).toBeLessThanOrEqual(61 * SECOND);
});
