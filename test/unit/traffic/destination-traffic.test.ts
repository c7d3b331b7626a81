import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AttemptResult, UploadFailure } from '../../../src/domain/attempt.ts';
import { mayTakeJobs } from '../../../src/domain/blocker.ts';
import type { DestinationTraffic } from '../../../src/traffic/destination-traffic.ts';
import { type SharedView, unsharedDestination } from '../../../src/traffic/shared-destination.ts';
import { healthOf, type LoneRunner, loneRunner } from '../../support/lone-runner.ts';

const never = new AbortController().signal;
const opened: DestinationTraffic[] = [];

function runnerWith(facts?: Parameters<typeof loneRunner>[0]): LoneRunner {
  const lone = loneRunner(facts);
  opened.push(lone.runner);
  return lone;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(async () => {
  await Promise.all(opened.splice(0).map((runner) => runner.close()));
  vi.useRealTimers();
});

function failure(change: Partial<UploadFailure>): UploadFailure {
  const usual = { kind: 'unavailable', code: 'connection', message: 'refused', httpStatus: null } as const;
  return { ...usual, retryAfterMs: null, ...change };
}

const failed = (change: Partial<UploadFailure> = {}): AttemptResult => ({
  kind: 'failed',
  failure: failure(change),
  requests: 1,
});

const uploaded: AttemptResult = {
  kind: 'uploaded',
  accepted: { url: null, fileId: '1', ref: null, expiresAt: null, remote: {} },
  ...{ bytes: 1, sha256: 'ab', contentType: 'text/plain', uploadedAt: 'now', durationMs: 3, requests: 1 },
};

/** One attempt from its permit to its end; false where there was no permit to be had. */
async function attempt(runner: DestinationTraffic, result: AttemptResult, file: string): Promise<boolean> {
  const gone = new AbortController();
  const asked = runner.permits.acquire('inbox', gone.signal);
  await vi.advanceTimersByTimeAsync(1);
  gone.abort();
  const release = await asked;
  if (release === null) return false;
  const underWay = runner.started();
  runner.finished(result, { rttMs: 1, bytes: 1, file });
  underWay.ended();
  release();
  return true;
}

async function goDown(runner: DestinationTraffic): Promise<void> {
  for (let n = 0; n < 6; n += 1) await attempt(runner, failed(), `file-${n}`);
}

test('six failures in a row and it is down: no permit, workers take nothing, who waits keeps its place', async () => {
  const { runner } = runnerWith();
  await goDown(runner);
  expect(healthOf(runner).kind).toBe('down');
  expect([runner.limit(), mayTakeJobs(runner.blockers())]).toEqual([0, false]);
  let granted: unknown = 'waiting';
  void runner.permits.acquire('inbox', never).then((release) => {
    granted = release;
  });
  await vi.advanceTimersByTimeAsync(100);
  expect(granted).toBe('waiting');
  // The first probe is the one that waits.
  await vi.advanceTimersByTimeAsync(600);
  expect(healthOf(runner)).toMatchObject({ kind: 'probing', of: 'down' });
  expect(granted).toBeTypeOf('function');
});

test('a probe that fails makes it wait longer, one that gets any answer of the service opens it', async () => {
  const { runner, log } = runnerWith();
  await goDown(runner);
  await vi.advanceTimersByTimeAsync(600);
  expect(await attempt(runner, failed(), 'probe-1')).toBe(true);
  expect(healthOf(runner).kind).toBe('down');
  await vi.advanceTimersByTimeAsync(700);
  expect(healthOf(runner).kind).toBe('down');
  await vi.advanceTimersByTimeAsync(600);
  expect(healthOf(runner).kind).toBe('probing');
  await attempt(runner, failed({ kind: 'throttled', code: 'throttled', httpStatus: 429 }), 'probe-2');
  expect(healthOf(runner).kind).toBe('running');
  expect(runner.limit()).toBe(8);
  const lines = log.lines.filter(({ message }) => message.includes('is down'));
  // One line an outage, not one a probe.
  expect(lines).toHaveLength(1);
});

/** As many attempts at once as there are permits. */
async function wave(runner: DestinationTraffic, result: AttemptResult): Promise<void> {
  const permits = Array.from({ length: runner.limit() }, () => runner.permits.acquire('inbox', never));
  const underWay = (await Promise.all(permits)).map((release) => ({ release, moving: runner.started() }));
  await vi.advanceTimersByTimeAsync(100);
  for (const [nth, { release, moving }] of underWay.entries()) {
    runner.finished(result, { rttMs: 100, bytes: 1, file: `file-${nth}` });
    moving.ended();
    release?.();
  }
}

test('after an outage the limit is soon what it was: it is not found out from one again', async () => {
  const { runner } = runnerWith({ concurrency: { initial: 1, max: 32, adaptive: true } });
  for (let n = 0; n < 7; n += 1) await wave(runner, uploaded);
  expect(runner.limit()).toBe(32);
  await wave(runner, failed());
  expect(runner.limit()).toBe(0);
  await vi.advanceTimersByTimeAsync(600);
  await attempt(runner, failed(), 'probe-1');
  await vi.advanceTimersByTimeAsync(1_200);
  await attempt(runner, uploaded, 'probe-2');
  expect(healthOf(runner).kind).toBe('running');
  // Doubling all the way: beyond the half it would go a step at a time otherwise.
  for (let n = 0; n < 6; n += 1) await wave(runner, uploaded);
  expect(runner.limit()).toBe(32);
});

test('a probe that is refused for good stops what was down', async () => {
  const { runner } = runnerWith();
  await goDown(runner);
  await vi.advanceTimersByTimeAsync(600);
  runner.stop(failure({ kind: 'misconfigured', code: 'token_refused' }));
  expect(healthOf(runner)).toMatchObject({ kind: 'stopped', failure: { code: 'token_refused' } });
});

test('what is stopped and does not answer when it is probed is still stopped, and says why', async () => {
  const { runner } = runnerWith();
  runner.stop(failure({ kind: 'exhausted', code: 'exhausted', message: 'the account is full' }));
  await vi.advanceTimersByTimeAsync(15_100);
  expect(healthOf(runner)).toMatchObject({ kind: 'probing', of: 'stopped' });
  await attempt(runner, failed(), 'probe');
  expect(healthOf(runner)).toMatchObject({ kind: 'stopped', failure: { message: 'the account is full' } });
});

test.each([
  ['nothing answers', failed()],
  ['the service is unavailable', failed({ code: 'http_503', httpStatus: 503 })],
  ['the token service does not answer', { ...failed({ code: 'token_service_unreachable' }), requests: 0 }],
  ['the credentials are refused again', failed({ kind: 'misconfigured', code: 'token_refused' })],
])('a probe of what is stopped is one permit, when %s', async (_what, result) => {
  const { runner } = runnerWith();
  runner.stop(failure({ kind: 'misconfigured', code: 'token_refused' }));
  // After 15 s, and after twice as long once that has failed.
  for (const waitMs of [15_100, 30_100]) {
    await vi.advanceTimersByTimeAsync(waitMs);
    expect(healthOf(runner)).toMatchObject({ kind: 'probing', of: 'stopped' });
    const permits: boolean[] = [];
    for (let n = 0; n < 5; n += 1) permits.push(await attempt(runner, result, `file-${n}`));
    expect(permits).toEqual([true, false, false, false, false]);
    expect(healthOf(runner)).toMatchObject({ kind: 'stopped', failure: { code: 'token_refused' } });
  }
});

test.each([
  ['a file that vanished', { kind: 'skipped', code: 'vanished', message: 'gone', requests: 0 }],
  ['a file that cannot be read', { kind: 'unreadable', code: 'file_unreadable', message: 'no', requests: 0 }],
  ['a job given back', { kind: 'aborted' }],
  ['a token failure', { ...failed({ code: 'token_service_unreachable' }), requests: 0 }],
] as const)('a probe that tells nothing (%s) is passed on to another process', async (_what, result) => {
  let members = 1;
  let passedOn = 0;
  const shared = {
    ...unsharedDestination(null, Date.now),
    members: () => members,
    passProbeOn() {
      passedOn += 1;
    },
  };
  const { runner } = runnerWith({ shared });
  await goDown(runner);
  await vi.advanceTimersByTimeAsync(600);
  expect(await attempt(runner, result, 'probe')).toBe(true);
  await vi.advanceTimersByTimeAsync(4_000);
  // Alone it keeps trying.
  expect([healthOf(runner).kind, passedOn]).toEqual(['probing', 0]);
  members = 2;
  await vi.advanceTimersByTimeAsync(2_000);
  expect([healthOf(runner).kind, passedOn]).toEqual(['down', 1]);
});

const tokenAway = (code = 'token_service_unreachable'): AttemptResult => ({
  ...{ kind: 'failed', failure: failure({ code, message: 'the token service is away' }), requests: 0 },
});

test.each(['token_service_unreachable', 'token_command_failed'])(
  'with %s one job at a time asks for a token, ever more rarely, and all go on once one has it',
  async (code) => {
    const { runner } = runnerWith();
    const early = runner.started();
    expect(await attempt(runner, tokenAway(code), 'a')).toBe(true);
    expect(healthOf(runner)).toMatchObject({
      kind: 'down',
      failure: { message: 'the token service is away' },
    });
    expect([runner.limit(), mayTakeJobs(runner.blockers())]).toEqual([0, false]);
    // One that was sent with an older token says nothing.
    runner.finished(uploaded, { rttMs: 500, bytes: 1, file: 'early' });
    early.ended();
    expect(healthOf(runner).kind).toBe('down');
    for (const waitMs of [600, 1_200, 2_300]) {
      expect(healthOf(runner).kind).toBe('down');
      await vi.advanceTimersByTimeAsync(waitMs);
      expect(healthOf(runner)).toMatchObject({ kind: 'probing', of: 'down' });
      const permits: boolean[] = [];
      for (let n = 0; n < 3; n += 1) permits.push(await attempt(runner, tokenAway(code), `file-${n}`));
      expect(permits).toEqual([true, false, false]);
    }
    await vi.advanceTimersByTimeAsync(3_500);
    await attempt(runner, failed({ code: 'http_500', httpStatus: 500 }), 'had a token');
    expect([healthOf(runner).kind, runner.limit()]).toEqual(['running', 8]);
  },
);

test('a token source that is away here keeps no other process from sending', async () => {
  const told: string[] = [];
  const shared = { ...unsharedDestination(null, Date.now), standStill: () => void told.push('standstill') };
  const { runner } = runnerWith({ shared });
  await attempt(runner, tokenAway(), 'a');
  expect(healthOf(runner).kind).toBe('down');
  expect(told).toEqual([]);
});

test('after a resume the token is asked for at once, and once', async () => {
  let heard: (view: SharedView) => void = () => undefined;
  const shared = {
    ...unsharedDestination(null, Date.now),
    onView(listener: (view: SharedView) => void) {
      heard = listener;
    },
  };
  const { runner } = runnerWith({ shared });
  const sees = (liftedAgoMs: number) =>
    heard({ suspension: null, probesHere: false, gateInMs: 0, liftedAgoMs, learned: null });
  await attempt(runner, tokenAway(), 'a');
  await vi.advanceTimersByTimeAsync(600);
  await attempt(runner, tokenAway(), 'b');
  await vi.advanceTimersByTimeAsync(300);
  // That was before it was asked in vain.
  sees(400);
  await vi.advanceTimersByTimeAsync(10);
  expect(healthOf(runner).kind).toBe('down');
  sees(100);
  await vi.advanceTimersByTimeAsync(10);
  expect(healthOf(runner).kind).toBe('probing');
  await attempt(runner, tokenAway(), 'c');
  sees(200);
  await vi.advanceTimersByTimeAsync(10);
  expect(healthOf(runner).kind).toBe('down');
});

test('a probe of the token that tells nothing leaves the next job to ask', async () => {
  const { runner } = runnerWith();
  await attempt(runner, tokenAway(), 'a');
  await vi.advanceTimersByTimeAsync(600);
  await attempt(runner, { kind: 'skipped', code: 'vanished', message: 'gone', requests: 0 }, 'b');
  await vi.advanceTimersByTimeAsync(5_000);
  expect([healthOf(runner).kind, runner.limit()]).toEqual(['probing', 1]);
  await attempt(runner, uploaded, 'c');
  expect(healthOf(runner).kind).toBe('running');
});

test('without a circuit every file fails for itself', async () => {
  const { runner } = runnerWith({ circuit: false });
  await attempt(runner, tokenAway(), 'first');
  for (let n = 0; n < 50; n += 1) expect(await attempt(runner, failed(), `file-${n}`)).toBe(true);
  expect(healthOf(runner).kind).toBe('running');
});

test('a stopped destination is tried as soon as there is another token', async () => {
  let changed = false;
  const { runner } = runnerWith({ tokenChanged: async () => changed });
  runner.stop(failure({ kind: 'misconfigured', code: 'token_refused' }));
  await vi.advanceTimersByTimeAsync(5_100);
  expect(healthOf(runner).kind).toBe('stopped');
  changed = true;
  await vi.advanceTimersByTimeAsync(5_100);
  expect(healthOf(runner).kind).toBe('probing');
  changed = false;
  await attempt(runner, uploaded, 'a');
  expect(healthOf(runner).kind).toBe('running');
});

test('a 429 that asks for two seconds or less holds nobody; one that asks for more holds all until then', async () => {
  const { runner } = runnerWith();
  const throttled = (retryAfterMs: number) =>
    failed({ kind: 'throttled', code: 'throttled', httpStatus: 429, retryAfterMs });
  await attempt(runner, throttled(2_000), 'a');
  expect(mayTakeJobs(runner.blockers())).toBe(true);
  await attempt(runner, throttled(30_000), 'b');
  expect([mayTakeJobs(runner.blockers()), runner.limit()]).toEqual([false, 0]);
  const [asked] = runner.blockers();
  expect(asked).toMatchObject({ reason: 'retry-after', message: expect.stringContaining('left alone') });
  expect(asked?.untilMs).toBeGreaterThan(Date.now() + 29_000);
  await vi.advanceTimersByTimeAsync(30_100);
  expect([mayTakeJobs(runner.blockers()), runner.limit()]).toEqual([true, 8]);
  expect(runner.blockers()).toEqual([]);
});

test('a wait beyond a quarter of an hour is said in the log, and jobs in hand go back', async () => {
  const { runner, log } = runnerWith();
  const hint = { kind: 'throttled', code: 'throttled', httpStatus: 429, retryAfterMs: 20 * 60_000 } as const;
  // All eight permits are held while two more wait.
  const held = await Promise.all(Array.from({ length: 8 }, () => runner.permits.acquire('inbox', never)));
  const waiting = [runner.permits.acquire('inbox', never), runner.permits.acquire('inbox', never)];
  runner.finished(failed(hint), { rttMs: 1, bytes: 1, file: 'a' });
  expect(await Promise.all(waiting)).toEqual([null, null]);
  for (const release of held) release?.();
  expect(log.lines.map(({ message }) => message)).toContain(
    'destination api asks to be left alone for 20m: its files wait',
  );
});

test('how fast it goes is told: sent, throttled, round trip', async () => {
  const { runner } = runnerWith();
  for (let n = 0; n < 20; n += 1) {
    // Whatever had them sent: with permits, a rate would be learned from the refusals.
    for (const result of [uploaded, failed({ kind: 'throttled', code: 'throttled', httpStatus: 429 })])
      runner.finished(result, { rttMs: 1, bytes: 1, file: `a-${n}` });
    await vi.advanceTimersByTimeAsync(100);
  }
  const { sentPerSecond, throttledShare, roundTripMs } = runner.pace();
  expect(sentPerSecond).toBeGreaterThan(5);
  expect(sentPerSecond).toBeLessThan(21);
  expect(throttledShare).toBeCloseTo(0.5, 1);
  expect(roundTripMs).toBe(1);
});

test('a rate is learned from what is refused: then nobody sends for a second, and status shows it', async () => {
  const { runner } = runnerWith();
  for (let n = 0; n < 5; n += 1) expect(await attempt(runner, uploaded, `a-${n}`)).toBe(true);
  expect(runner.pace().quotaPerSecond).toBeNull();
  await attempt(runner, failed({ kind: 'throttled', code: 'throttled', httpStatus: 429 }), 'b');
  expect(runner.pace().quotaPerSecond).toBeGreaterThan(3);
  expect(runner.pace().quotaPerSecond).toBeLessThan(6);
  expect(await attempt(runner, uploaded, 'c')).toBe(false);
  await vi.advanceTimersByTimeAsync(1_100);
  expect(await attempt(runner, uploaded, 'c')).toBe(true);
});
