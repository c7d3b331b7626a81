import { expect, test } from 'vitest';
import type { UploadFailure } from '../../../src/domain/attempt.ts';
import { newUploadJob } from '../../../src/domain/upload-job.ts';
import { inPatience, patienceOfAll, patienceOfEach } from '../../../src/operations/upload/patience.ts';

const MINUTE = 60_000;
const never = new AbortController().signal;
const version = { source: 'upload', destination: 'demo', path: 'a', size: 1, mtimeNs: '1' };
const job = newUploadJob(version, 0, null);
const throttled: UploadFailure = {
  ...{ kind: 'throttled', code: 'throttled', message: 'too fast', httpStatus: 429, retryAfterMs: 1 },
};

function clockAt(startMs: number) {
  const clock = { nowMs: startMs, monotonicMs: () => clock.nowMs };
  return clock;
}

test('each file has its own patience, whatever others do', () => {
  const clock = clockAt(100);
  const patience = patienceOfEach(MINUTE, clock.monotonicMs);
  clock.nowMs += 50_000;
  expect(patience.leftMs()).toBe(10_000);
  expect(patience.noTurn(job, null)).toMatchObject({
    code: 'no_turn',
    message: expect.stringContaining('within 1m'),
  });
  expect(patience.tooLate(throttled, 5_000)).toEqual({ ...throttled, retryAfterMs: 5_000 });
});

test('all files together give up so long after the last success, and never while bytes move', () => {
  const clock = clockAt(100);
  let successAtMs: number | null = null;
  let isMoving = false;
  const patience = patienceOfAll(10 * MINUTE, {
    monotonicMs: clock.monotonicMs,
    lastSuccessAgoMs: () => (successAtMs === null ? null : clock.nowMs - successAtMs),
    isMoving: () => isMoving,
  });
  clock.nowMs += 9 * MINUTE;
  expect(patience.leftMs()).toBe(MINUTE);
  successAtMs = clock.nowMs;
  expect(patience.leftMs()).toBe(10 * MINUTE);
  clock.nowMs += 11 * MINUTE;
  expect(patience.leftMs()).toBe(-MINUTE);
  isMoving = true;
  expect(patience.leftMs()).toBeGreaterThan(0);
  expect(patience.noTurn(job, throttled)).toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/nothing was accepted for 10m.*last error: too fast.*--give-up/),
  });
  expect(patience.tooLate(throttled, 60 * MINUTE).message).toBe(
    'too fast; the next try would be in 1h, and --give-up is 10m: try again then, or give a longer one',
  );
});

test('a wait for a turn goes on as long as the patience is renewed, and ends with it', async () => {
  let leftMs = 20;
  let renewed = 0;
  const patience = {
    leftMs() {
      renewed += 1;
      if (renewed > 3) leftMs = 0;
      return leftMs;
    },
  };
  const turned = inPatience(
    patience,
    never,
    (turn) => new Promise((resolve) => turn.addEventListener('abort', () => resolve('over'), { once: true })),
  );
  expect(await turned).toBe('over');
  expect(renewed).toBeGreaterThan(3);
  expect(await inPatience({ leftMs: () => 1_000 }, never, async () => 'sent')).toBe('sent');
});
