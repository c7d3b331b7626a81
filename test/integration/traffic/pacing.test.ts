import { expect, test, vi } from 'vitest';
import type { DestinationReport } from '../../../src/domain/live-report.ts';
import { openDestinationRecord } from '../../../src/redis/coordination/destination-record.ts';
import type { Run } from '../../../src/runtime/run.ts';
import { pacedDefinition, startPacedApi } from '../../support/paced-api.ts';
import { runRig } from '../../support/run-rig.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 60_000;
const ADAPTIVE = { initial: 1, max: 64, adaptive: true };

async function destinationOf(run: Run): Promise<DestinationReport> {
  const [destination] = (await run.report()).destinations;
  if (destination === undefined) throw new Error('no destination');
  return destination;
}

test('a known quota is kept from the first request on, and no file waits for it without need', async () => {
  const api = await startPacedApi(50);
  const rig = await runRig({
    definition: pacedDefinition(api, { rate: { perSecond: 40 } }),
    concurrency: ADAPTIVE,
  });
  rig.files(80);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const moments = api.requests.map(({ atMs }) => atMs);
  expect(moments).toHaveLength(80);
  // 79 slots of 25 ms, but for a first one that arrived late; without the quota it would be over in a fraction of that.
  // What arrives within one second depends on the machine too: the exact count is of the simulated clock.
  expect(Math.max(...moments) - Math.min(...moments)).toBeGreaterThan(79 * 25 * 0.75);
  expect((await destinationOf(run)).quotaPerSecond).toBe(40);
});

test('files that are not sent use up nothing of the quota', async () => {
  const api = await startPacedApi();
  // At one every ten seconds a hundred files that use some up would outlast the test by far.
  const definition = pacedDefinition(api, { rate: { perMinute: 6 }, limits: { maxBytes: 10 } });
  const rig = await runRig({ definition });
  for (let index = 0; index < 100; index += 1) rig.file(`large-${index}.txt`, 'x'.repeat(50));
  rig.file('small.txt', 'x');
  const run = await rig.start();
  await run.once(GIVE_UP_MS, never);
  expect(rig.receipts().filter(({ status }) => status === 'skipped')).toHaveLength(100);
  expect(api.accepted()).toEqual(['small.txt']);
});

test('an outage fails no file, is probed by one upload at a time, and is over soon after its end', async () => {
  const api = await startPacedApi(20);
  const rig = await runRig({ definition: pacedDefinition(api), concurrency: ADAPTIVE });
  rig.files(400);
  const run = await rig.start();
  await vi.waitFor(() => expect(api.accepted().length).toBeGreaterThan(80), 15_000);
  api.answer = () => ({ status: 503 });
  await vi.waitFor(async () => expect((await destinationOf(run)).circuit).toBe('open'), {
    timeout: 10_000,
    interval: 20,
  });
  // What was under way when it opened says nothing about what came after.
  await vi.waitFor(async () => expect((await destinationOf(run)).inFlight).toBe(0), 10_000);
  const opened = api.requests.length;
  await vi.waitFor(() => expect(api.requests.length).toBeGreaterThanOrEqual(opened + 2), 15_000);
  expect(rig.receipts().filter(({ status }) => status !== 'uploaded')).toEqual([]);
  const probes = api.requests.slice(opened);
  expect(probes.filter(({ others }) => others > 0)).toEqual([]);
  // The next one waits from the answer to the one before: half a second at least, and longer every time.
  for (const [nth, { atMs }] of probes.entries())
    expect(atMs - (probes[nth - 1]?.atMs ?? 0)).toBeGreaterThan(450);
  api.answer = () => undefined;
  await vi.waitFor(async () => expect((await destinationOf(run)).circuit).toBe('closed'), 10_000);
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts()).toHaveLength(400);
  expect(rig.receipts().every(({ status }) => status === 'uploaded')).toBe(true);
  // How far it has come back by now is up to this machine; that it goes up to where it was is a test of the runner.
  expect((await destinationOf(run)).limit).toBeGreaterThan(ADAPTIVE.initial);
});

test('one answer of 500 in five costs no file, and hardly any request more than it must', async () => {
  const api = await startPacedApi(5);
  let random = 1;
  api.answer = () => {
    random = (random * 48_271) % 2_147_483_647;
    return random % 5 === 0 ? { status: 500 } : undefined;
  };
  const rig = await runRig({
    definition: pacedDefinition(api),
    concurrency: ADAPTIVE,
    retry: { baseDelay: 50, maxDelay: 500 },
  });
  rig.files(400);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts().filter(({ status }) => status !== 'uploaded')).toEqual([]);
  expect(api.requests.length).toBeLessThanOrEqual(400 * 1.4);
});

test('a file that is always answered with 500 opens no circuit and keeps none of the others', async () => {
  const api = await startPacedApi(5);
  api.answer = (filename) => (filename === '7.txt' ? { status: 500 } : undefined);
  const rig = await runRig({
    definition: pacedDefinition(api),
    concurrency: ADAPTIVE,
    retry: { baseDelay: 20, maxDelay: 50 },
  });
  rig.files(300);
  const run = await rig.start();
  await vi.waitFor(() => expect(api.accepted()).toHaveLength(299), 20_000);
  expect(new Set(api.accepted()).size).toBe(299);
  const sick = (): number => api.requests.filter(({ filename }) => filename === '7.txt').length;
  const tried = sick();
  // Alone, it is tried on: a single file is no outage.
  await vi.waitFor(() => expect(sick()).toBeGreaterThan(tried + 5), 15_000);
  expect((await destinationOf(run)).circuit).toBe('closed');
});

test('what another process gets through shows that a file which keeps failing here is to blame itself', async () => {
  const api = await startPacedApi();
  api.answer = () => ({ status: 500 });
  const rig = await runRig({
    definition: pacedDefinition(api),
    retry: { attempts: 3, baseDelay: 10, maxDelay: 10 },
  });
  rig.file('poison.txt');
  await rig.start();
  // Nothing succeeds anywhere: far more failures than three, and no receipt.
  await vi.waitFor(() => expect(api.requests.length).toBeGreaterThan(8), 15_000);
  expect(rig.receipts()).toEqual([]);

  const record = openDestinationRecord({
    connection: rig.redis.connect(),
    ...{ prefix: 'slipway', destination: pacedDefinition(api).name, member: 'another host' },
  });
  await vi.waitFor(
    async () => {
      await record.sync({ joining: false, probing: false, succeededAgoMs: 0 });
      expect(rig.receipts()).toMatchObject([{ path: 'poison.txt', status: 'failed' }]);
    },
    { timeout: 20_000, interval: 100 },
  );
});

test('a stop that is left of a process which has just died is tried before it is believed', async () => {
  const api = await startPacedApi();
  const rig = await runRig({ definition: pacedDefinition(api) });
  rig.files(3);
  const { name: destination } = pacedDefinition(api);
  const dead = openDestinationRecord({
    connection: rig.redis.connect(),
    ...{ prefix: 'slipway', destination, member: 'died a moment ago' },
  });
  await dead.sync({ joining: true, probing: false });
  const failure = { kind: 'misconfigured', code: 'token_refused', message: 'log in again' };
  const stop = { kind: 'stopped', failure, sinceMs: Date.now(), tries: 3 };
  await dead.standStill(JSON.stringify(stop), { kind: 'stopped', probeInMs: 0, afterProbe: false });
  // It died while it probed, and holds the lease of that.
  expect(await dead.leaseProbe()).toBe('granted');

  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(api.accepted()).toHaveLength(3);
});

test('a long Retry-After shuts the whole destination, a short one only delays its file', async () => {
  const api = await startPacedApi(5);
  const rig = await runRig({ definition: pacedDefinition(api), atOnce: 4 });
  let refuse = 'short';
  api.answer = () => {
    if (refuse === 'none') return undefined;
    const retryAfter = refuse === 'short' ? '1' : '1500';
    refuse = 'none';
    return { status: 429, retryAfter };
  };
  rig.files(60);
  const run = await rig.start();
  await vi.waitFor(() => expect(api.accepted()).toHaveLength(60), 15_000);
  expect((await destinationOf(run)).resumesAt).toBeNull();

  refuse = 'long';
  rig.file('late-1.txt');
  await vi.waitFor(() => expect(refuse).toBe('none'), 10_000);
  await vi.waitFor(async () => expect((await destinationOf(run)).resumesAt).not.toBeNull(), 5_000);
  rig.file('late-2.txt');
  const { resumesAt, limit } = await destinationOf(run);
  expect(Date.parse(resumesAt ?? '') - Date.now()).toBeGreaterThan(20 * 60_000);
  expect(limit).toBe(0);
  await vi.waitFor(async () => expect((await run.report()).sources[0]?.pending).toBe(2), 10_000);
  expect(api.accepted()).toHaveLength(60);
  // It outlives the process: what the far side asked for is in the record.
  await run.stop(5_000);
  const again = await rig.start();
  expect((await destinationOf(again)).resumesAt).not.toBeNull();
  expect(api.accepted()).toHaveLength(60);
});

test('a quota that nobody told is learned: nearly nothing is refused any more, and no file fails for it', async () => {
  const api = await startPacedApi(20);
  let taken: number[] = [];
  api.answer = () => {
    const nowMs = performance.now();
    taken = taken.filter((atMs) => atMs > nowMs - 1_000);
    if (taken.length >= 5) return { status: 429 };
    taken.push(nowMs);
    return undefined;
  };
  const rig = await runRig({ definition: pacedDefinition(api), concurrency: ADAPTIVE });
  rig.files(60);
  const run = await rig.start();
  await vi.waitFor(async () => expect((await destinationOf(run)).quotaPerSecond).not.toBeNull(), 15_000);
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts().filter(({ status }) => status !== 'uploaded')).toEqual([]);
  // By the number in flight alone nineteen of twenty would be refused.
  const refused = api.requests.filter(({ status }) => status === 429).length;
  expect(refused).toBeLessThan(30);
});
