import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { DestinationDefinition } from '../../../src/destinations/definition/definition.ts';
import { clearSuspension } from '../../../src/redis/coordination/destination-record.ts';
import type { Sandbox } from '../../../src/sandbox/open-sandbox.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { expectHealthyRun } from '../../support/healthy-run.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 60_000;

function autoglm({ autoglmUrl, tokenUrl }: Sandbox, overrides: object = {}): DestinationDefinition {
  return definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl }, ...overrides });
}

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

function uploadedPaths(rig: RunRig, source?: string): string[] {
  return rig
    .receipts(source)
    .filter(({ status }) => status === 'uploaded')
    .map(({ path }) => path)
    .sort();
}

test('a source is drained: every file is sent once, recorded once, and nothing stays in Redis', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(30);
  rig.file('深/a b "c".md', 'nested');
  rig.file('.hidden', 'not for the world');
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const receipts = rig.receipts();
  expect(receipts).toHaveLength(31);
  expect(receipts.find(({ path }) => path === '深/a b "c".md')).toMatchObject({
    status: 'uploaded',
    sha256: sha256('nested'),
    attempts: 1,
    url: expect.stringContaining('https://'),
  });
  expect(sandbox.summary().repeated).toBe(0);
  await expectHealthyRun({ rig, run, server: sandbox }, 31);
  const [source] = (await run.report()).sources;
  expect(source).toMatchObject({ discovered: 31, uploaded: 31, pending: 0, trouble: null, unreadable: 0 });
  const jobKeys = await rig.redis.connect().keys(`*${receipts[0]?.id.slice(0, 1)}*-0*`);
  expect(jobKeys.filter((key) => receipts.some(({ id }) => key.includes(id)))).toEqual([]);
  expect(await run.stop(5_000)).toBe(true);
  const snapshot = JSON.parse(readFileSync(rig.plan().manifest, 'utf8')) as { counts: object };
  expect(snapshot.counts).toMatchObject({ uploaded: 31 });
});

test('a second start sends nothing again, and what was edited meanwhile goes as a new version', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(5);
  const first = await rig.start();
  await first.once(GIVE_UP_MS, never);
  await first.stop(5_000);
  rig.file('3.txt', 'edited');
  const second = await rig.start();
  expect(await second.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(sandbox.summary().repeated).toBe(0);
  await expectHealthyRun({ rig, run: second, server: sandbox }, 6);
  const versions = rig.receipts().filter(({ path }) => path === '3.txt');
  expect(versions).toHaveLength(2);
  expect(versions[0]?.id).not.toBe(versions[1]?.id);
});

test('a trickle does not wait behind a bulk source of the same destination: they take turns', async () => {
  const sandbox = await sandboxForTest({ capacity: { knee: 1, serviceMs: 10 } });
  const rig = await runRig({ definition: autoglm(sandbox), sources: ['bulk', 'live'], atOnce: 1 });
  rig.files(250, 'bulk');
  const run = await rig.start();
  await vi.waitFor(() => expect(sandbox.summary().count).toBeGreaterThan(5), 10_000);
  for (const name of ['a.txt', 'b.txt', 'c.txt', 'd.txt', 'e.txt']) rig.file(name, `live ${name}`, 'live');
  await vi.waitFor(() => expect(uploadedPaths(rig, 'live')).toHaveLength(5), 10_000);
  const order = sandbox.received().map(({ filename }) => (/^[a-e]\.txt$/.test(filename) ? 'live' : 'bulk'));
  const between = order.slice(order.indexOf('live'), order.lastIndexOf('live') + 1);
  // One each; more where the machine was busy and found the five one after the other.
  expect(between.filter((source) => source === 'bulk').length).toBeLessThan(50);
  // The bulk source was far from its end, so it was no accident.
  expect(order.lastIndexOf('live')).toBeLessThan(200);
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained', 'drained']);
  await expectHealthyRun({ rig, run, server: sandbox }, 255);
});

test('wrong credentials stop the destination and keep every job; once they are mended it goes on by itself', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'code', code: 400000 }] });
  const rig = await runRig({ definition: autoglm(sandbox), probeMs: 150 });
  rig.files(40);
  const run = await rig.start();
  const destination = async () => (await run.report()).destinations[0];
  await vi.waitFor(async () => expect((await destination())?.health).not.toBe('running'), 10_000);
  expect((await destination())?.failure).toMatch(/refused two freshly read tokens/);
  expect(rig.receipts()).toEqual([]);
  sandbox.clearFaults();
  await vi.waitFor(() => expect(uploadedPaths(rig)).toHaveLength(40), 15_000);
  expect(await destination()).toMatchObject({ health: 'running', failure: null });
  expect(new Set(rig.receipts().map(({ attempts }) => attempts))).toEqual(new Set([1]));
  expect(sandbox.summary().repeated).toBe(0);
});

test('a stopped destination is tried at once on resume', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'code', code: 400000 }] });
  // Left alone it would not be tried again while this test runs.
  const rig = await runRig({ definition: autoglm(sandbox), probeMs: 600_000 });
  rig.files(3);
  const run = await rig.start();
  const health = async () => (await run.report()).destinations[0]?.health;
  await vi.waitFor(async () => expect(await health()).toBe('stopped'), 10_000);
  sandbox.clearFaults();
  await clearSuspension(rig.redis.connect(), 'slipway', 'test');
  await vi.waitFor(() => expect(uploadedPaths(rig)).toHaveLength(3), 10_000);
  expect(await health()).toBe('running');
});

test('while a token dies after 7 uses, 200 files at 16 at once get through, each in one attempt, one token read at a time', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: 'token', uses: 7 }] });
  let reading = 0;
  let mostReading = 0;
  let reads = 0;
  const rig = await runRig({
    definition: autoglm(sandbox),
    atOnce: 16,
    aroundToken: (read) => async (url, options) => {
      reads += 1;
      reading += 1;
      mostReading = Math.max(mostReading, reading);
      return await read(url, options).finally(() => {
        reading -= 1;
      });
    },
  });
  rig.files(200);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const receipts = rig.receipts();
  expect(receipts).toHaveLength(200);
  expect(receipts.filter(({ status, attempts }) => status !== 'uploaded' || attempts !== 1)).toEqual([]);
  expect(mostReading).toBe(1);
  expect(reads).toBeGreaterThanOrEqual(Math.ceil(200 / 7));
  expect(sandbox.summary()).toMatchObject({ count: 200, repeated: 0 });
});

test('a 429 delays files and costs no attempt', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', operation: 'upload', action: '429', retryAfter: 0, times: 10 }],
  });
  const rig = await runRig({ definition: autoglm(sandbox), retry: { baseDelay: 20, maxDelay: 50 } });
  rig.files(10);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(sandbox.summary().faults).toEqual({ '429': 10 });
  expect(rig.receipts().map(({ attempts, status }) => [status, attempts])).toEqual(
    Array(10).fill(['uploaded', 1]),
  );
});

test('a 500 is an attempt: the receipt counts it', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', operation: 'upload', action: '500', times: 2 }],
  });
  const rig = await runRig({ definition: autoglm(sandbox), retry: { baseDelay: 20, maxDelay: 50 } });
  rig.file('a.txt');
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts()).toMatchObject([{ status: 'uploaded', attempts: 3 }]);
});

test('when nothing gets through, --once gives up and every file is kept', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: '500' }] });
  const rig = await runRig({ definition: autoglm(sandbox), retry: { baseDelay: 20, maxDelay: 50 } });
  rig.files(3);
  const run = await rig.start();
  expect(await run.once(500, never)).toEqual(['gave-up']);
  expect(rig.receipts()).toEqual([]);
  await vi.waitFor(async () => expect((await run.report()).sources[0]?.pending).toBe(3), 10_000);
});

test('what cannot be read is not passed over in silence: the end is incomplete, and the source says how many', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.file('a.txt');
  // Deeper than any path may be long: nobody can list its end by name, not even root.
  const made = spawnSync(
    'sh',
    ['-c', 'd=$(printf %0200d 0); for i in $(seq 25); do mkdir $d && cd -P $d || exit 1; done'],
    {
      cwd: rig.root(),
    },
  );
  expect(made.status).toBe(0);
  onTestFinished(() => void spawnSync('rm', ['-rf', rig.root()]));
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['incomplete']);
  expect(uploadedPaths(rig)).toEqual(['a.txt']);
  const [source] = (await run.report()).sources;
  expect(source).toMatchObject({
    unreadable: 1,
    trouble: expect.stringMatching(/^1 of the files and folders in /),
  });
});
