import { describe, expect, test } from 'vitest';
import { mostWithin } from '../../support/paced-api.ts';
import {
  defersAbove,
  dropsAbove,
  jitteryLink,
  slidingQuota,
  slowLink,
  steadyLink,
  windowQuota,
} from '../../support/paced-servers.ts';
import { type PacedOutcome, type PacedSimulation, simulatePacing } from '../../support/pacing-simulation.ts';

const MINUTE = 60_000;
const SEEDS = [1, 2, 3, 4, 5];

interface Range {
  readonly finishMs?: readonly [least: number, most: number];
  readonly rejectedShare?: readonly [least: number, most: number];
  readonly peakInFlight?: readonly [least: number, most: number];
  readonly meanInFlight?: readonly [least: number, most: number];
  readonly settledLimit?: readonly [least: number, most: number];
  readonly mostAttempts?: readonly [least: number, most: number];
}

/** Servers keep state, so each seed gets a new one. */
function runs(scenario: () => Omit<PacedSimulation, 'seed'>): PacedOutcome[] {
  return SEEDS.map((seed) => simulatePacing({ ...scenario(), seed }));
}

function expectWithin(outcomes: readonly PacedOutcome[], range: Range): void {
  for (const [name, [least, most]] of Object.entries(range) as [keyof Range, [number, number]][]) {
    for (const outcome of outcomes) {
      expect(outcome[name], name).toBeGreaterThanOrEqual(least);
      expect(outcome[name], name).toBeLessThanOrEqual(most);
    }
  }
}

/** The twelve scenarios by which Vector tests its limiter, with its servers' figures. */
describe('links and servers that nobody describes', () => {
  test.each<[string, () => Omit<PacedSimulation, 'seed'>, Range]>([
    [
      'a constant link is filled',
      () => ({ files: 500, server: steadyLink(100) }),
      { finishMs: [780, 1_500], rejectedShare: [0, 0], peakInFlight: [64, 64], settledLimit: [60, 64] },
    ],
    [
      'a slow link, on which everything in flight adds to the time, is not flooded',
      () => ({ files: 500, server: slowLink(50, 20) }),
      { finishMs: [10_000, 16_000], rejectedShare: [0, 0], peakInFlight: [4, 24], settledLimit: [4, 16] },
    ],
    [
      'a link with a little jitter is filled',
      () => ({ files: 1_000, server: jitteryLink(100, 0.1) }),
      { finishMs: [1_500, 2_600], rejectedShare: [0, 0], meanInFlight: [40, 64], settledLimit: [60, 64] },
    ],
    [
      'a link with much jitter is filled nearly as well',
      () => ({ files: 1_000, server: jitteryLink(100, 0.5) }),
      { finishMs: [1_500, 3_500], rejectedShare: [0, 0], meanInFlight: [28, 64], settledLimit: [40, 64] },
    ],
    [
      'a sender that brings a file a second needs one upload at a time',
      () => ({ files: 100, server: steadyLink(100), everyMs: 1_000 }),
      { finishMs: [99_000, 99_500], peakInFlight: [1, 1], settledLimit: [1, 2] },
    ],
    [
      'a sender of twenty a second never waits',
      () => ({ files: 500, server: steadyLink(100), everyMs: 50 }),
      { finishMs: [25_000, 25_500], peakInFlight: [1, 8], meanInFlight: [1.8, 2.2] },
    ],
    [
      'a fixed number is that number',
      () => ({ files: 200, server: steadyLink(100), concurrency: { adaptive: false, max: 10 } }),
      { finishMs: [2_000, 2_000], peakInFlight: [10, 10], meanInFlight: [10, 10], settledLimit: [10, 10] },
    ],
    [
      'a fixed number that is too large costs refusals, but no file',
      () => ({ files: 200, server: defersAbove(5, 100), concurrency: { adaptive: false, max: 10 } }),
      { finishMs: [4_000, 20_000], rejectedShare: [0.5, 0.9], settledLimit: [10, 10], mostAttempts: [2, 12] },
    ],
    [
      'a server that defers above five in flight is found, and then left in peace',
      () => ({ files: 500, server: defersAbove(5, 100) }),
      { finishMs: [9_500, 11_500], rejectedShare: [0, 0.06], peakInFlight: [5, 10], settledLimit: [4, 6] },
    ],
    [
      'a server that defers above a hundred a second is approached',
      () => ({ files: 2_000, server: slidingQuota(() => 100, 100) }),
      { finishMs: [19_000, 29_000], rejectedShare: [0, 0.25], meanInFlight: [5, 12] },
    ],
    [
      'a server that says nothing above five in flight is tried ever more rarely: each try costs a time-out',
      () => ({ files: 500, server: dropsAbove(5, 100, 10_000) }),
      { finishMs: [10_000, 250_000], rejectedShare: [0, 0.3], peakInFlight: [5, 14], settledLimit: [4, 6] },
    ],
    [
      'a server with a shallow knee: pushing it harder is noticed',
      () => ({ files: 1_000, server: slowLink(100, 5) }),
      { finishMs: [5_000, 14_000], rejectedShare: [0, 0], peakInFlight: [16, 64] },
    ],
  ])('%s', (_what, scenario, range) => expectWithin(runs(scenario), range));
});

describe('quotas', () => {
  test('a known quota of 20 a second is kept from the first request on, at hardly any loss of time', () => {
    const outcomes = runs(() => ({ files: 300, server: slidingQuota(() => 20, 300), perSecond: 20 }));
    expectWithin(outcomes, {
      finishMs: [15_000, 15_000 * 1.1],
      rejectedShare: [0, 0.01],
      mostAttempts: [1, 2],
    });
    for (const { sentAtMs } of outcomes) expect(mostWithin(sentAtMs, 1_000)).toBeLessThanOrEqual(20);
  });

  test('two processes share it to within one request a second', () => {
    const outcomes = runs(() => ({
      files: 300,
      server: slidingQuota(() => 20, 300),
      perSecond: 20,
      processes: 2,
    }));
    expectWithin(outcomes, { finishMs: [15_000, 15_000 * 1.1], rejectedShare: [0, 0.01] });
    for (const { sentAtMs } of outcomes) expect(mostWithin(sentAtMs, 1_000)).toBeLessThanOrEqual(21);
  });

  test('an unknown one whose refusals ask for a second is approached; nobody but the refused file waits', () => {
    const outcomes = runs(() => ({ files: 600, server: slidingQuota(() => 20, 300, 1_000) }));
    expectWithin(outcomes, { finishMs: [29_000, 45_000], rejectedShare: [0, 0.15], mostAttempts: [1, 6] });
    // It goes on meanwhile: no second without a request.
    for (const { sentAtMs, finishMs } of outcomes)
      for (let atMs = 1_000; atMs < finishMs - 2_000; atMs += 1_000)
        expect(sentAtMs.some((sent) => sent >= atMs && sent < atMs + 1_000)).toBe(true);
  });

  test('a refusal that asks for most of a minute holds everybody, and costs one round of refusals a minute', () => {
    const outcomes = runs(() => ({ files: 600, server: windowQuota(100, MINUTE, 300) }));
    expectWithin(outcomes, {
      finishMs: [5 * MINUTE, 5.2 * MINUTE],
      rejectedShare: [0, 0.06],
      mostAttempts: [1, 4],
    });
    for (const { sentAtMs, refusedAtMs } of outcomes) {
      // 5 ms after its request the first refusal is here; what is sent after that waits for the next minute.
      for (const refused of refusedAtMs) {
        const endMs = Math.ceil(refused / MINUTE) * MINUTE;
        expect(sentAtMs.filter((sent) => sent > refused && sent < endMs - 10)).toEqual([]);
      }
    }
  });

  test('a thousand a minute, unknown: the window is used up, then waited for', () => {
    const outcomes = runs(() => ({ files: 3_000, server: windowQuota(1_000, MINUTE, 1_000) }));
    expectWithin(outcomes, { finishMs: [2 * MINUTE, 2.5 * MINUTE], rejectedShare: [0, 0.01] });
  });

  test('a thousand a minute, known: no refusal at all', () => {
    const outcomes = runs(() => ({
      files: 2_000,
      server: windowQuota(1_000, MINUTE, 1_000),
      perSecond: 1_000 / 60,
    }));
    expectWithin(outcomes, {
      finishMs: [2 * MINUTE, 2.2 * MINUTE],
      rejectedShare: [0, 0],
      mostAttempts: [1, 1],
    });
  });

  test('one that is halved in the middle is noticed', () => {
    const halved = () => slidingQuota((nowMs) => (nowMs < 15_000 ? 20 : 10), 300);
    // 300 in the first 15 s, the rest at 10 a second: 45 s at best.
    expectWithin(
      runs(() => ({ files: 600, server: halved() })),
      { finishMs: [45_000, 80_000], rejectedShare: [0, 0.3] },
    );
    expectWithin(
      runs(() => ({ files: 600, server: halved(), perSecond: 20 })),
      { finishMs: [45_000, 70_000], rejectedShare: [0, 0.15] },
    );
  });

  test('one that is doubled in the middle is found', () => {
    const doubled = () => slidingQuota((nowMs) => (nowMs < 15_000 ? 10 : 20), 300);
    // 150 in the first 15 s, the rest at 20 a second: 37.5 s at best.
    const outcomes = runs(() => ({ files: 600, server: doubled() }));
    expectWithin(outcomes, { finishMs: [37_500, 60_000], rejectedShare: [0, 0.15] });
  });
});
