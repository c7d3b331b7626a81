import { expect, test } from 'vitest';
import { createCommonTimes } from '../../../src/traffic/common-times.ts';

const HOUR = 3_600_000;

test('a success of this process is told once, with its age, and again only when there is another', () => {
  let nowMs = 1_000_000;
  const times = createCommonTimes(() => nowMs);
  expect(times.asking().succeededAgoMs).toBeNull();
  times.succeeded();
  nowMs += 700;
  const lost = times.asking();
  expect(lost.succeededAgoMs).toBe(700);
  // Redis did not answer: it is still to be told.
  const asked = times.asking();
  expect(asked.succeededAgoMs).toBe(700);
  asked.answered({ successAgoMs: 700, atMs: nowMs });
  expect(times.asking().succeededAgoMs).toBeNull();
  nowMs += 100;
  times.succeeded();
  expect(times.asking().succeededAgoMs).toBe(0);
});

test('what this process knows by itself and what it has heard are told apart', () => {
  let nowMs = 1_000_000;
  const times = createCommonTimes(() => nowMs);
  expect(times.times()).toEqual({ nowMs, lastSuccessAtMs: null, heardSuccessAtMs: null });
  times.asking().answered({ successAgoMs: 400, atMs: nowMs });
  expect(times.times()).toMatchObject({ lastSuccessAtMs: null, heardSuccessAtMs: nowMs - 400 });
  nowMs += 5_000;
  times.succeeded();
  expect(times.times()).toMatchObject({ lastSuccessAtMs: nowMs, heardSuccessAtMs: nowMs - 5_400 });
  // Redis has lost its data: what this process knows by itself stays.
  times.asking().answered({ successAgoMs: null, atMs: nowMs });
  expect(times.times()).toMatchObject({ lastSuccessAtMs: nowMs, heardSuccessAtMs: null });
});

test('two hosts whose clocks are an hour apart mean the same moment', () => {
  let redisMs = 50 * HOUR;
  const hosts = [-HOUR, 0, HOUR].map((aheadMs) => createCommonTimes(() => redisMs + aheadMs));
  for (const host of hosts) host.asking().answered({ successAgoMs: 2_000, atMs: redisMs });
  for (const host of hosts) {
    expect(host.times()).toMatchObject({ nowMs: redisMs, heardSuccessAtMs: redisMs - 2_000 });
  }
  redisMs += 3_000;
  for (const host of hosts) host.succeeded();
  for (const host of hosts) expect(host.times().lastSuccessAtMs).toBe(redisMs);
});

test('an answer that took long says nothing about the clock, and a small difference is none', () => {
  let nowMs = 1_000_000;
  const times = createCommonTimes(() => nowMs);
  const asked = times.asking();
  nowMs += 8_000;
  asked.answered({ successAgoMs: null, atMs: 1_000_100 });
  expect(times.times().nowMs).toBe(nowMs);
  times.asking().answered({ successAgoMs: null, atMs: nowMs + 300 });
  expect(times.times().nowMs).toBe(nowMs);
});

test('a success from before the clock was set back counts for nothing, not even when the clock gets there', () => {
  let nowMs = 10 * HOUR;
  const times = createCommonTimes(() => nowMs);
  times.succeeded();
  times.asking().answered({ successAgoMs: 0, atMs: nowMs });
  nowMs -= HOUR;
  expect(times.times()).toEqual({ nowMs, lastSuccessAtMs: null, heardSuccessAtMs: null });
  nowMs += 2 * HOUR;
  expect(times.times()).toEqual({ nowMs, lastSuccessAtMs: null, heardSuccessAtMs: null });
  expect(times.asking().succeededAgoMs).toBeNull();
});
