import { expect, test } from 'vitest';
import type { AttemptResult, UploadFailure } from '../../../src/domain/attempt.ts';
import type { AttemptEntry } from '../../../src/domain/attempt-entry.ts';
import type { AttemptHistory } from '../../../src/upload/job/attempt-log.ts';
import { type NextStep, nextStep, type StepContext } from '../../../src/upload/job/next-step.ts';
import { retrySchema } from '../../../src/upload/options.ts';
import { failure } from '../../support/upload-fixture.ts';

const NOW = Date.parse('2026-11-22T12:00:00.000Z');
const AT = new Date(NOW).toISOString();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const fresh: AttemptHistory = { attemptLog: [] };

function context(overrides: Partial<StepContext> = {}): StepContext {
  return {
    retry: retrySchema.parse(undefined),
    nowMs: NOW,
    random: () => 0.5,
    lastSuccessAtMs: null,
    queuedAtMs: NOW - MINUTE,
    ...overrides,
  };
}

function failed(facts: Partial<UploadFailure>, requests = 1): AttemptResult {
  return { kind: 'failed', failure: failure(facts), requests };
}

function entryAt(atMs: number, counted: boolean): AttemptEntry {
  return {
    at: new Date(atMs).toISOString(),
    code: 'connection',
    kind: 'unavailable',
    httpStatus: null,
    counted,
  };
}

function retryOf(step: NextStep): Extract<NextStep, { kind: 'retry' }> {
  if (step.kind !== 'retry') throw new Error(`expected a retry, got ${JSON.stringify(step)}`);
  return step;
}

test('an accepted file settles as uploaded, and what was sent twice to mend credentials is one attempt', () => {
  const accepted = { url: 'https://x.example/1', fileId: '1', ref: null, expiresAt: null, remote: {} };
  const facts = { bytes: 1, sha256: 'ab', contentType: 'text/plain', uploadedAt: 'now', durationMs: 3 };
  const result: AttemptResult = { kind: 'uploaded', accepted, ...facts, requests: 2 };
  const history = { attemptLog: [entryAt(NOW - MINUTE, false)] };
  const step = nextStep(result, history, context());
  const jobEnd = { status: 'uploaded', result };
  expect(step).toEqual({ kind: 'settle', jobEnd, attempts: 2, ...history });
});

test('files of a folder that is not there wait for it beyond every deadline, and no attempt is counted', () => {
  const history = { attemptLog: [entryAt(NOW - 72 * HOUR, false)] };
  for (const code of ['source_root_gone', 'source_root_closed']) {
    const step = nextStep(
      failed({ code, kind: 'unavailable' }, 0),
      history,
      context({ lastSuccessAtMs: NOW }),
    );
    expect(retryOf(step).entry.counted).toBe(false);
  }
});

test('skipped and unreadable files settle at once', () => {
  const skipped = nextStep({ kind: 'skipped', code: 'empty', message: 'm', requests: 0 }, fresh, context());
  expect(skipped).toEqual({
    kind: 'settle',
    jobEnd: { status: 'skipped', code: 'empty', message: 'm' },
    attempts: 0,
    attemptLog: [],
  });
  const unreadable = nextStep(
    { kind: 'unreadable', code: 'file_unreadable', message: 'm', requests: 0 } as const,
    fresh,
    context(),
  );
  expect(unreadable).toMatchObject({
    kind: 'settle',
    jobEnd: { status: 'failed', code: 'file_unreadable' },
  });
});

test('an aborted attempt goes back untouched', () => {
  expect(nextStep({ kind: 'aborted' }, fresh, context())).toEqual({ kind: 'give-back' });
});

test('a rejected file fails at once with the reason of the far side', () => {
  const step = nextStep(
    failed({ code: '400003', message: 'bad argument', httpStatus: 200 }),
    fresh,
    context(),
  );
  expect(step).toEqual({
    kind: 'settle',
    jobEnd: {
      status: 'failed',
      code: '400003',
      kind: 'rejected',
      message: 'bad argument',
      httpStatus: 200,
    },
    attempts: 1,
    // It may be looked up long after the job is gone.
    attemptLog: [{ at: AT, code: '400003', kind: 'rejected', httpStatus: 200, counted: true }],
  });
});

test('a file that was stored with another size is sent once more, and then fails for itself', () => {
  const mismatch = failed({ kind: 'rejected', code: 'size_mismatch', httpStatus: 200 });
  const first = nextStep(mismatch, fresh, context({}));
  expect(first).toMatchObject({ kind: 'retry', failure: { code: 'size_mismatch' } });
  const again = nextStep(mismatch, retryOf(first).history, context({}));
  expect(again).toMatchObject({ kind: 'settle', jobEnd: { status: 'failed', code: 'size_mismatch' } });
});

test.each(['misconfigured', 'exhausted'] as const)(
  '%s stops the destination and costs the file nothing',
  (kind) => {
    const full = { attemptLog: Array.from({ length: 7 }, () => entryAt(NOW - MINUTE, true)) };
    const step = nextStep(failed({ kind, code: 'c' }), full, context({ lastSuccessAtMs: NOW }));
    expect(step).toMatchObject({
      kind: 'stop-destination',
      failure: { kind, code: 'c' },
      entry: { counted: false },
    });
  },
);

test.each(['unauthenticated', 'throttled'] as const)('%s never uses up an attempt', (kind) => {
  let history = fresh;
  for (let turn = 0; turn < 100; turn += 1) {
    const step = retryOf(nextStep(failed({ kind }), history, context({ lastSuccessAtMs: NOW + turn })));
    expect(step.entry.counted).toBe(false);
    history = step.history;
  }
});

test('unavailable counts only when another file got through since the previous attempt', () => {
  const history = { attemptLog: [entryAt(NOW - 10_000, false)] };
  const counted = (lastSuccessAtMs: number | null) =>
    retryOf(nextStep(failed({ kind: 'unavailable', code: 'timeout' }), history, context({ lastSuccessAtMs })))
      .entry.counted;
  expect(counted(null)).toBe(false);
  expect(counted(NOW - 10_001)).toBe(false);
  expect(counted(NOW - 9_999)).toBe(true);
});

test('a success of another process, heard of late, counts the next failure, and none twice', () => {
  // Queued a minute ago; the success lies between the two failures, but was not known at the second.
  const history = { attemptLog: [entryAt(NOW - 10_000, false), entryAt(NOW - 5_000, false)] };
  const heard = (heardSuccessAtMs: number | null, after: AttemptHistory = history) =>
    retryOf(nextStep(failed({ kind: 'unavailable' }), after, context({ heardSuccessAtMs }))).entry.counted;
  expect(heard(null)).toBe(false);
  expect(heard(NOW - MINUTE - 1)).toBe(false);
  expect(heard(NOW - 7_000)).toBe(true);
  expect(heard(NOW - 7_000, { attemptLog: [...history.attemptLog, entryAt(NOW - 1_000, true)] })).toBe(false);
  // A 429 since then: what was before it is no longer asked.
  const throttled = { ...entryAt(NOW - 6_000, false), kind: 'throttled' } as const;
  expect(heard(NOW - 7_000, { attemptLog: [throttled, entryAt(NOW - 5_000, false)] })).toBe(false);
});

test('however late one hears of the successes, no more failures count than there were successes', () => {
  let history = fresh;
  let counted = 0;
  for (let turn = 1; turn <= 60; turn += 1) {
    const nowMs = NOW + turn * 1_000;
    // One success every ten seconds until the outage begins, heard of nine seconds later.
    const heardSuccessAtMs = NOW + Math.min(2, Math.floor((turn - 9) / 10)) * 10_000;
    const step = nextStep(
      failed({ kind: 'unavailable' }),
      history,
      context({ nowMs, queuedAtMs: NOW, heardSuccessAtMs }),
    );
    const { entry, history: next } = retryOf(step);
    counted += entry.counted ? 1 : 0;
    history = next;
  }
  expect(counted).toBe(2);
});

test('before the first attempt, "since the previous one" is since it was queued', () => {
  const counted = (lastSuccessAtMs: number) =>
    retryOf(nextStep(failed({ kind: 'unavailable' }), fresh, context({ lastSuccessAtMs }))).entry.counted;
  expect(counted(NOW - MINUTE - 1)).toBe(false);
  expect(counted(NOW - MINUTE + 1)).toBe(true);
});

test('an outage never dead-letters, however many attempts it swallows', () => {
  let history = fresh;
  for (let turn = 0; turn < 500; turn += 1) {
    const nowMs = NOW + turn * 30_000;
    const step = nextStep(failed({ kind: 'unavailable', code: 'connection' }), history, context({ nowMs }));
    history = retryOf(step).history;
  }
  expect(history.attemptLog).toHaveLength(16);
});

test('a file that fails while others get through fails after retry.attempts', () => {
  let history = fresh;
  for (let turn = 1; turn <= 7; turn += 1) {
    const nowMs = NOW + turn * 1000;
    const facts = { nowMs, lastSuccessAtMs: nowMs - 1 };
    history = retryOf(nextStep(failed({ kind: 'unavailable' }), history, context(facts))).history;
  }
  const last = { kind: 'unavailable', code: 'http_500', message: 'server error', httpStatus: 500 } as const;
  const step = nextStep(failed(last), history, context({ nowMs: NOW + 8000, lastSuccessAtMs: NOW + 7999 }));
  const { code, kind, httpStatus } = last;
  const entry = { at: new Date(NOW + 8000).toISOString(), code, kind, httpStatus, counted: true };
  expect(step).toEqual({
    kind: 'settle',
    jobEnd: { status: 'failed', ...last },
    attempts: 8,
    attemptLog: [...history.attemptLog, entry],
  });
});

test('an answer nobody knows is a counted retry even where nothing else succeeds', () => {
  const step = retryOf(nextStep(failed({ kind: 'unavailable', code: 'read_failed' }), fresh, context()));
  expect(step.entry.counted).toBe(true);
});

test.each(['token_service_unreachable', 'source_root_gone', 'out_of_handles'])('%s costs nothing', (code) => {
  const facts = { lastSuccessAtMs: NOW - 1 };
  const step = retryOf(nextStep(failed({ kind: 'unavailable', code }, 0), fresh, context(facts)));
  expect(step.entry).toMatchObject({ counted: false, attempted: false });
});

test('the delay grows with every failure, is capped, and has a tenth of jitter on top', () => {
  const delays: number[] = [];
  let history = fresh;
  for (let turn = 0; turn < 10; turn += 1) {
    const step = retryOf(nextStep(failed({ kind: 'throttled' }), history, context({ random: () => 1 })));
    delays.push(step.delayMs);
    history = step.history;
  }
  expect(delays).toEqual([550, 1100, 2200, 4400, 8800, 17600, 33000, 33000, 33000, 33000]);
});

test('a longer wait that the far side asks for is kept, and never cut short', () => {
  const wait = (random: number) =>
    retryOf(
      nextStep(
        failed({ kind: 'unavailable', retryAfterMs: 60_000 }),
        fresh,
        context({ random: () => random }),
      ),
    ).delayMs;
  expect(wait(0)).toBe(60_000);
  expect(wait(0.999)).toBeGreaterThan(65_000);
  expect(wait(0.999)).toBeLessThanOrEqual(66_000);
});

test('a 429 that holds the whole destination leaves the file its own backoff, so that resume frees it', () => {
  const wait = (retryAfterMs: number) =>
    retryOf(nextStep(failed({ kind: 'throttled', retryAfterMs }), fresh, context({ random: () => 0 })))
      .delayMs;
  expect(wait(2_000)).toBe(2_000);
  expect(wait(2_001)).toBe(0);
  expect(wait(48 * HOUR)).toBe(0);
});

test('no answer holds a file for more than a day', () => {
  const hint = { kind: 'unavailable', retryAfterMs: 1000 * HOUR } as const;
  expect(retryOf(nextStep(failed(hint), fresh, context({ random: () => 0 }))).delayMs).toBe(24 * HOUR);
});

test('a file whose own failures go on for longer than retry.deadline fails with its last error', () => {
  const history = { attemptLog: [entryAt(NOW - 24 * HOUR - 1, true)] };
  const result = failed({ kind: 'unavailable', message: 'server is down' });
  const step = nextStep(result, history, context({ lastSuccessAtMs: NOW - 1 }));
  expect(step).toMatchObject({
    kind: 'settle',
    jobEnd: { status: 'failed', code: 'deadline', message: expect.stringMatching(/24h.*server is down/) },
  });
});

test('an outage beyond the deadline fails no file, not even at its first failure after it that counts', () => {
  const history = { attemptLog: [entryAt(NOW - 72 * HOUR, false), entryAt(NOW - 48 * HOUR, false)] };
  for (const kind of ['unavailable', 'throttled', 'unauthenticated'] as const) {
    expect(nextStep(failed({ kind }), history, context()).kind).toBe('retry');
  }
  const counts = context({ lastSuccessAtMs: NOW - 1 });
  expect(retryOf(nextStep(failed({ kind: 'unavailable' }), history, counts)).entry.counted).toBe(true);
});

test('an uncounted failure past the deadline waits on, whatever counted before it', () => {
  const history = { attemptLog: [entryAt(NOW - 48 * HOUR, true)] };
  expect(nextStep(failed({ kind: 'unavailable' }), history, context()).kind).toBe('retry');
});

test('the deadline runs from the first failure that counted, even when it has left the log', () => {
  const retry = retrySchema.parse({ attempts: 100 });
  let history = fresh;
  for (let hour = 0; hour < 24; hour += 1) {
    const at = context({ retry, nowMs: NOW + hour * HOUR });
    history = retryOf(nextStep(failed({ kind: 'unavailable', code: 'read_failed' }), history, at)).history;
  }
  const firstCountedAt = new Date(NOW).toISOString();
  expect(history.dropped).toEqual({ counted: 8, attempted: 8, firstCountedAt });
  const late = context({ retry, nowMs: NOW + 25 * HOUR });
  const last = nextStep(failed({ kind: 'unavailable', code: 'read_failed' }), history, late);
  expect(last).toMatchObject({ kind: 'settle', jobEnd: { code: 'deadline' } });
});

test('a wait that is asked for is not held against the deadline', () => {
  for (const kind of ['throttled', 'unavailable'] as const) {
    const hint = { kind, retryAfterMs: 48 * HOUR };
    expect(nextStep(failed(hint), fresh, context({ lastSuccessAtMs: NOW - 1 })).kind).toBe('retry');
  }
});

test('backoff is full jitter from half a second, doubling to half a minute', () => {
  const delayAt = (failures: number, random: number): number => {
    const attemptLog = Array.from({ length: failures }, () => entryAt(NOW - MINUTE, false));
    return retryOf(
      nextStep(failed({ kind: 'unavailable' }), { attemptLog }, context({ random: () => random })),
    ).delayMs;
  };
  expect([0, 1, 2, 6, 14].map((failures) => delayAt(failures, 0))).toEqual([0, 0, 0, 0, 0]);
  const most = [0, 1, 2, 5, 6, 14].map((failures) => delayAt(failures, 0.999_999));
  expect(most).toEqual([550, 1_100, 2_200, 17_600, 33_000, 33_000]);
});

test('time spent waiting in the queue is not held against the deadline', () => {
  const step = nextStep(failed({ kind: 'throttled' }), fresh, context({ queuedAtMs: NOW - 48 * HOUR }));
  expect(step.kind).toBe('retry');
});

test('the log stays bounded while the totals stay right', () => {
  let history = fresh;
  for (let turn = 0; turn < 40; turn += 1) {
    const nowMs = NOW + turn * 1000;
    const counted = turn % 10 === 0;
    const facts = context({ nowMs, lastSuccessAtMs: counted ? nowMs - 1 : null });
    history = retryOf(nextStep(failed({ kind: 'unavailable' }, 2), history, facts)).history;
  }
  expect(history.attemptLog).toHaveLength(16);
  expect(history.attemptLog.filter((entry) => entry.counted)).toHaveLength(4);
  expect(history.dropped).toEqual({ counted: 0, attempted: 24 });
  const end = nextStep(failed({ kind: 'rejected' }), history, context());
  expect(end).toMatchObject({ kind: 'settle', attempts: 41 });
});

test('with more attempts than the log holds, dropped counted ones still count', () => {
  const retry = retrySchema.parse({ attempts: 20 });
  let history = fresh;
  for (let turn = 1; turn < 20; turn += 1) {
    history = retryOf(
      nextStep(failed({ kind: 'unavailable', code: 'read_failed' }), history, context({ retry })),
    ).history;
  }
  expect(history.dropped?.counted).toBe(3);
  const last = nextStep(failed({ kind: 'unavailable', code: 'read_failed' }), history, context({ retry }));
  expect(last).toMatchObject({ kind: 'settle', jobEnd: { code: 'read_failed' }, attempts: 20 });
});

test('the very first retry log entry holds nothing but what it needs', () => {
  const step = retryOf(
    nextStep(failed({ kind: 'unavailable', code: 'timeout', httpStatus: 504 }), fresh, context()),
  );
  expect(step.entry).toEqual({
    at: '2026-11-22T12:00:00.000Z',
    code: 'timeout',
    kind: 'unavailable',
    httpStatus: 504,
    counted: false,
  });
});

test.each([
  ['a 429', failed({ kind: 'throttled' })],
  ['a token that was refused five times', failed({ kind: 'unauthenticated' }, 5)],
  [
    'a token service that went away after a refused token',
    failed({ kind: 'unavailable', code: 'token_service_unreachable' }, 1),
  ],
  ['what ended before anything was sent', failed({ kind: 'unavailable', code: 'read_failed' }, 0)],
  ['credentials that stay wrong', failed({ kind: 'misconfigured', code: 'token_refused' }, 3)],
])('%s is no attempt', (_what, result) => {
  const step = nextStep(result, fresh, context());
  if (step.kind !== 'retry' && step.kind !== 'stop-destination') throw new Error(`unexpected ${step.kind}`);
  expect(step.entry.attempted).toBe(false);
  const end = nextStep(failed({ kind: 'rejected' }), step.history, context());
  expect(end).toMatchObject({ kind: 'settle', attempts: 1 });
});

test.each([
  ['a 503', failed({ kind: 'unavailable', httpStatus: 503 })],
  ['a reset connection', failed({ kind: 'unavailable', code: 'connection' })],
  ['an account that is full', failed({ kind: 'exhausted' })],
])('%s is an attempt', (_what, result) => {
  const step = nextStep(result, fresh, context());
  if (step.kind !== 'retry' && step.kind !== 'stop-destination') throw new Error(`unexpected ${step.kind}`);
  const end = nextStep(failed({ kind: 'rejected' }, 2), step.history, context());
  expect(end).toMatchObject({ kind: 'settle', attempts: 2 });
});

test('a file that is skipped or unreadable after it went on the wire has cost one attempt, before that none', () => {
  const skipped = (requests: number) =>
    nextStep({ kind: 'skipped', code: 'changed', message: 'm', requests }, fresh, context());
  expect([skipped(0), skipped(2)]).toMatchObject([{ attempts: 0 }, { attempts: 1 }]);
});
