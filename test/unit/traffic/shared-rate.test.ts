import { expect, test } from 'vitest';
import { createLearnedRate, type LearnedRate } from '../../../src/pacing/learned-rate.ts';
import type { SharedRate, SharedView } from '../../../src/traffic/shared-destination.ts';
import { shareLearnedRate } from '../../../src/traffic/shared-rate.ts';

/** A record that all processes of one destination look at. */
function record() {
  let stored: SharedRate | null = null;
  const listeners = new Set<(view: SharedView) => void>();
  const writes: (SharedRate | null)[] = [];
  return {
    writes,
    look() {
      const nothing = { suspension: null, probesHere: false, gateInMs: 0, liftedAgoMs: null };
      for (const listener of listeners) listener({ ...nothing, learned: stored });
    },
    shared: {
      learned(rate: SharedRate | null) {
        stored = rate;
        writes.push(rate);
      },
      onView: (listener: (view: SharedView) => void) => void listeners.add(listener),
    },
  };
}

function refuse(learned: LearnedRate, startedAtMs: number): void {
  learned.throttled({ startedAtMs, nowMs: startedAtMs + 5 });
}

function accept(learned: LearnedRate, count: number, startedAtMs: number): void {
  for (let n = 0; n < count; n += 1) learned.accepted({ startedAtMs, nowMs: startedAtMs + 50 });
}

test('what one process learns all know, whoever comes later too, and nobody tells it back', () => {
  const { shared, writes, look } = record();
  let nowMs = 0;
  const [one, other, later] = [createLearnedRate(), createLearnedRate(), createLearnedRate()];
  const oneShares = shareLearnedRate(one, shared, () => nowMs);
  const otherShares = shareLearnedRate(other, shared, () => nowMs);
  oneShares.tell();
  look();
  expect(writes).toEqual([]);
  accept(one, 20, 100);
  refuse(one, 200);
  oneShares.tell();
  expect(writes).toHaveLength(1);
  nowMs = 1_000;
  look();
  otherShares.tell();
  expect(other.perSecond()).toBeCloseTo(one.estimate(nowMs)?.perSecond ?? 0, -1);
  expect(other.perSecond()).toBeGreaterThan(15);
  shareLearnedRate(later, shared, () => nowMs);
  look();
  look();
  expect(later.estimate(nowMs)).toEqual(other.estimate(nowMs));
  expect(writes).toHaveLength(1);
});

test('who was told that nothing is accepted for now waits a little longer than the one that found it', () => {
  const { shared, look } = record();
  const [one, other] = [createLearnedRate(), createLearnedRate()];
  const oneShares = shareLearnedRate(one, shared, () => 2_000);
  shareLearnedRate(other, shared, () => 2_000);
  accept(one, 3, 100);
  refuse(one, 200);
  refuse(one, 1_400);
  oneShares.tell();
  look();
  // A minute from the first of them.
  expect(one.restMs(2_000)).toBeGreaterThan(55_000);
  expect(other.restMs(2_000)).toBeGreaterThan(one.restMs(2_000));
});

test('that there is no quota any more is told as well', () => {
  const { shared, writes, look } = record();
  const [one, other] = [createLearnedRate(), createLearnedRate()];
  const oneShares = shareLearnedRate(one, shared, () => 0);
  shareLearnedRate(other, shared, () => 0);
  accept(one, 20, 100);
  refuse(one, 200);
  oneShares.tell();
  look();
  expect(other.perSecond()).not.toBeNull();
  accept(one, 1_000, 5_000);
  expect(one.perSecond()).toBeNull();
  oneShares.tell();
  expect(writes.at(-1)).toBeNull();
  look();
  expect(other.perSecond()).toBeNull();
});
