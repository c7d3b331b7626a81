import { expect, test } from 'vitest';
import { createKeyMeter } from '../../../src/gateway/access/key-limits.ts';

const LIMITS = { perMinute: 2, bytesPerDay: 10, concurrency: 1 };

function meterAt(startMs: number) {
  const clock = { nowMs: startMs };
  const days = new Map<string, number>();
  const usage = {
    used: (key: string, day: string) => days.get(`${key} ${day}`) ?? 0,
    add: (key: string, day: string, bytes: number) =>
      void days.set(`${key} ${day}`, (days.get(`${key} ${day}`) ?? 0) + bytes),
  };
  return { clock, meter: createKeyMeter(usage, () => clock.nowMs) };
}

test('a minute is the last 60 seconds, and all of it may be used at once', () => {
  const { clock, meter } = meterAt(1_000);
  meter.request('a', LIMITS);
  clock.nowMs += 20_000;
  expect(meter.request('a', LIMITS)).toMatchObject({
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '40s',
  });
  expect(() => meter.request('a', LIMITS)).toThrow(
    expect.objectContaining({ status: 429, headers: expect.objectContaining({ 'retry-after': '40' }) }),
  );
  expect(() => meter.request('b', LIMITS)).not.toThrow();
  clock.nowMs += 40_000;
  expect(() => meter.request('a', LIMITS)).not.toThrow();
  expect(() => meter.request('a', LIMITS)).toThrow();
});

test('bytes count by the UTC day, and what is refused counts for nothing', () => {
  const { clock, meter } = meterAt(Date.UTC(2026, 10, 30, 23, 59));
  meter.bytes('a', LIMITS, 6);
  expect(() => meter.bytes('a', LIMITS, 5)).toThrow(
    expect.objectContaining({ headers: { 'retry-after': '60' } }),
  );
  meter.bytes('a', LIMITS, 4);
  expect(() => meter.bytes('a', LIMITS, 1)).toThrow();
  clock.nowMs += 60_000;
  expect(() => meter.bytes('a', LIMITS, 10)).not.toThrow();
});

test('an upload that is over makes room for the next', () => {
  const { meter } = meterAt(0);
  const over = meter.upload('a', LIMITS);
  expect(() => meter.upload('a', LIMITS)).toThrow(expect.objectContaining({ status: 429 }));
  over();
  expect(() => meter.upload('a', LIMITS)).not.toThrow();
});
