import { describe, expect, test } from 'vitest';
import { type SimulationOptions, type SimulationResult, simulate } from '../../support/limit-simulation.ts';
import {
  collapsingServer,
  constantServer,
  heavyTailedBytes,
  jitteryServer,
  kneeServer,
  outageServer,
  quotaServer,
  sizedServer,
} from '../../support/simulated-servers.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7];
const concurrency = { initial: 1, max: 64, adaptive: true };

type Scenario = Omit<SimulationOptions, 'seed' | 'concurrency'> &
  Partial<Pick<SimulationOptions, 'concurrency'>>;

/** Servers keep state, so each seed gets a new one. */
function runs(scenario: () => Scenario): SimulationResult[] {
  return SEEDS.map((seed) => simulate({ concurrency, ...scenario(), seed }));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

describe('on a virtual clock', () => {
  test('a server with 16 hands that refuses above 48 is kept busy and hardly ever refuses', () => {
    for (const max of [64, 200]) {
      const results = runs(() => ({
        files: 2000,
        server: kneeServer(16, 48, 200),
        concurrency: { initial: 1, max, adaptive: true },
      }));
      for (const result of results) {
        expect(result.finishMs).toBeLessThan(((2000 * 200) / 16) * 1.1);
        expect(result.rejectedShare).toBeLessThan(0.005);
        expect(result.peakInFlight).toBeLessThanOrEqual(52);
        expect(result.settledLimit).toBeGreaterThanOrEqual(16);
        expect(result.settledLimit).toBeLessThanOrEqual(48);
      }
    }
  });

  test.each([
    { hands: 1, refusesAbove: 1, rejected: 0.05 },
    { hands: 5, refusesAbove: 5, rejected: 0.03 },
    { hands: 4, refusesAbove: 8, rejected: 0.03 },
  ])(
    'a small server with $hands hands that refuses above $refusesAbove is found and then left in peace',
    (server) => {
      const results = runs(() => ({
        files: 800,
        server: kneeServer(server.hands, server.refusesAbove, 100),
      }));
      for (const result of results) {
        expect(result.finishMs).toBeLessThan(((800 * 100) / server.hands) * 1.1);
        expect(result.rejectedShare).toBeLessThan(server.rejected);
      }
    },
  );

  test('a constant link is used in full after a few round trips', () => {
    for (const result of runs(() => ({ files: 2000, server: constantServer(100) }))) {
      expect(result.finishMs).toBeLessThan(((2000 * 100) / 64) * 1.25);
      expect(result.settledLimit).toBe(64);
    }
  });

  test('jitter is not taken for congestion', () => {
    const results = runs(() => ({ files: 2000, server: jitteryServer(50) }));
    expect(median(results.map((result) => result.finishMs))).toBeLessThan(((2000 * 100) / 64) * 1.5);
    for (const result of results) expect(result.settledLimit).toBeGreaterThan(40);
  });

  test('a server that does less the harder it is pushed is not pushed far beyond its knee', () => {
    for (const result of runs(() => ({ files: 1000, server: collapsingServer(100, 10, 1.15) }))) {
      expect(result.settledLimit).toBeGreaterThanOrEqual(8);
      expect(result.settledLimit).toBeLessThanOrEqual(20);
      // The worst it can be made to do is 64 in flight, 60 times slower than the best.
      expect(result.finishMs).toBeLessThan(((1000 * 100) / 10) * 2);
    }
  });

  test('large files among small ones are not taken for congestion', () => {
    const scenario = () => ({
      files: 5000,
      server: sizedServer(100, 10_000),
      bytesOf: heavyTailedBytes,
    });
    const results = runs(scenario);
    expect(median(results.map((result) => result.finishMs))).toBeLessThan(((5000 * 200) / 64) * 1.5);
    for (const result of results) expect(result.settledLimit).toBeGreaterThan(56);
  });

  test('an unknown quota is approached without drowning in refusals', () => {
    for (const result of runs(() => ({ files: 1000, server: quotaServer(20, 300) }))) {
      expect(result.finishMs).toBeLessThan(1000 * 50 * 1.5);
      expect(result.rejectedShare).toBeLessThan(0.15);
    }
  });

  test('after an outage of ten seconds the capacity found before is in use again within three', () => {
    const results = runs(() => ({
      files: 4000,
      server: outageServer(kneeServer(16, 48, 200), 5000, 15_000),
    }));
    for (const { limitAt } of results) {
      const limitsAt = (fromMs: number, untilMs: number) =>
        limitAt.filter(([nowMs]) => nowMs >= fromMs && nowMs < untilMs).map(([, limit]) => limit);
      expect(Math.max(...limitsAt(4000, 5000))).toBeGreaterThanOrEqual(16);
      expect(Math.min(...limitsAt(10_000, 15_000))).toBe(1);
      expect(Math.max(...limitsAt(15_000, 18_000))).toBeGreaterThanOrEqual(16);
    }
  });

  test('a limit that does not adapt is its maximum from the first to the last file', () => {
    const fixed = { initial: 1, max: 8, adaptive: false };
    const result = simulate({ files: 400, concurrency: fixed, server: kneeServer(4, 6, 100), seed: 1 });
    expect(result.peakInFlight).toBe(8);
    expect(result.settledLimit).toBe(8);
  });
});
