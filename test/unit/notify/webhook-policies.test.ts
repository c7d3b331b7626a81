import { describe, expect, test } from 'vitest';
import {
  afterFailure,
  afterSuccess,
  type EndpointHealth,
  healthAt,
  healthFrom,
  isGivenUp,
} from '../../../src/notify/endpoint/endpoint-health.ts';
import { RETRY_SCHEDULE_MS, retryDelayMs } from '../../../src/notify/endpoint/retry-schedule.ts';
import { attempt } from '../../../src/notify/endpoint/settle-delivery.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const quiet = { throttled: false, retryAfterMs: null };
const middle = (): number => 0.5;

describe('the retry schedule', () => {
  test('is that of the standard: ten attempts within 75 h 35 min', () => {
    const delays = Array.from({ length: 10 }, (_, index) => retryDelayMs(index + 1, quiet, middle));
    expect(delays).toEqual([
      5 * SECOND,
      5 * MINUTE,
      30 * MINUTE,
      2 * HOUR,
      5 * HOUR,
      10 * HOUR,
      14 * HOUR,
      20 * HOUR,
      24 * HOUR,
      null,
    ]);
    expect(RETRY_SCHEDULE_MS.reduce((sum, ms) => sum + ms)).toBe(75 * HOUR + 35 * MINUTE + 5 * SECOND);
  });

  test.each([
    [0, 240 * SECOND],
    [1, 360 * SECOND],
  ])('spreads a step by 20 %% (random %d)', (random, expected) => {
    expect(retryDelayMs(2, quiet, () => random)).toBe(expected);
  });

  test('a 429 waits a minute at least, and what the endpoint asks for is waited for where it is longer', () => {
    expect(retryDelayMs(1, { throttled: true, retryAfterMs: null }, middle)).toBe(MINUTE);
    expect(retryDelayMs(1, { throttled: true, retryAfterMs: 90 * SECOND }, middle)).toBe(90 * SECOND);
    expect(retryDelayMs(1, { throttled: false, retryAfterMs: 20 * SECOND }, middle)).toBe(20 * SECOND);
    expect(retryDelayMs(2, { throttled: true, retryAfterMs: 20 * SECOND }, middle)).toBe(5 * MINUTE);
  });

  test('nobody may ask for silence beyond a day', () => {
    expect(retryDelayMs(1, { throttled: false, retryAfterMs: 365 * DAY }, middle)).toBe(DAY);
  });
});

describe('the health of an endpoint', () => {
  function failed(times: number, health: EndpointHealth = healthFrom(null), nowMs = 0): EndpointHealth {
    let now = health;
    for (let time = 0; time < times; time += 1) now = afterFailure(now, nowMs, middle);
    return now;
  }

  test('ten failures in a row open the circuit, nine do not, and one success forgets them', () => {
    expect(failed(9).circuit.kind).toBe('closed');
    expect(failed(10).circuit).toEqual({ kind: 'open', untilMs: 5 * SECOND, coolMs: 5 * SECOND });
    expect(afterSuccess()).toEqual({ circuit: { kind: 'closed' }, failuresInRow: 0, failingSinceMs: null });
  });

  test('an open one is probed when its time has come; each failed probe doubles the rest, up to five minutes', () => {
    let health = failed(10);
    let nowMs = 0;
    const rests: number[] = [];
    for (let probe = 0; probe < 9; probe += 1) {
      if (health.circuit.kind !== 'open') throw new Error('not open');
      expect(healthAt(health, health.circuit.untilMs - 1)).toBe(health);
      rests.push(health.circuit.coolMs / SECOND);
      nowMs = health.circuit.untilMs;
      health = healthAt(health, nowMs);
      expect(health.circuit.kind).toBe('probing');
      health = afterFailure(health, nowMs, middle);
    }
    expect(rests).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  test('what was under way when it opened does not prolong the rest', () => {
    const open = failed(10);
    expect(afterFailure(open, 3 * SECOND, middle).circuit).toBe(open.circuit);
  });

  test('an endpoint that asks for time is left alone at once, for as long as the longest it asked for, a day at most', () => {
    const asked = afterFailure(healthFrom(null), 0, middle, 600 * SECOND);
    expect(asked.circuit).toEqual({ kind: 'open', untilMs: 600 * SECOND, coolMs: 5 * SECOND });
    expect(afterFailure(asked, SECOND, middle, 60 * SECOND).circuit).toEqual(asked.circuit);
    expect(afterFailure(asked, SECOND, middle, 900 * SECOND).circuit).toMatchObject({
      untilMs: 901 * SECOND,
    });
    expect(afterFailure(healthFrom(null), 0, middle, 365 * DAY).circuit).toMatchObject({ untilMs: DAY });
    expect(healthAt(asked, 600 * SECOND).circuit.kind).toBe('probing');
  });

  test('five days without one success are enough, also across restarts', () => {
    const health = afterFailure(healthFrom(null), 1_000, middle);
    expect(isGivenUp(health, 1_000 + 5 * DAY - 1)).toBe(false);
    expect(isGivenUp(healthFrom(health.failingSinceMs), 1_000 + 5 * DAY)).toBe(true);
    expect(isGivenUp(afterSuccess(), 1_000 + 50 * DAY)).toBe(false);
  });
});

test('a sender that throws has failed, and one that was stopped counts for nothing', async () => {
  const send = (): never => {
    throw new Error('no way out');
  };
  const message = { id: 'msg_1', body: '{}' };
  expect(await attempt(send, message, new AbortController().signal)).toMatchObject({
    ...{ kind: 'failed', status: null, reason: 'cannot be sent: no way out' },
  });
  expect(await attempt(send, message, AbortSignal.abort())).toEqual({ kind: 'aborted' });
});
