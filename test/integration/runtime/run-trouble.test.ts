import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { statusText } from '../../../src/cli/commands/status-command.ts';
import { paintFor } from '../../../src/cli/screen/terminal.ts';
import type { DestinationDefinition } from '../../../src/destinations/definition/definition.ts';
import { compactSource } from '../../../src/ledger/upkeep/compact-journal.ts';
import { readStatus } from '../../../src/operations/inspect/status.ts';
import { sourceKey } from '../../../src/redis/queue-key.ts';
import type { Sandbox } from '../../../src/sandbox/open-sandbox.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { testFolder } from '../../support/record-rig.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { tinyDisk } from '../../support/tiny-disk.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 60_000;
/** Slow enough that what is done to Redis comes in the middle. */
const SERVICE_MS = 20;

function autoglm({ autoglmUrl, tokenUrl }: Sandbox): DestinationDefinition {
  return definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } });
}

/** How often each file arrived, by its name. */
function arrivals(sandbox: Sandbox): Map<string, number> {
  const times = new Map<string, number>();
  for (const { filename } of sandbox.received()) times.set(filename, (times.get(filename) ?? 0) + 1);
  return times;
}

/** What `status` says of it when nothing runs. */
async function lostIn(rig: RunRig): Promise<{ lostJobs: number | undefined; text: boolean }> {
  const redis = { url: rig.redis.socketPath, prefix: 'slipway' };
  const status = await readStatus({ plans: [rig.plan()], dataDir: rig.dataDir, redis, log: rig.log });
  const [source] = status.sources;
  expect(source?.running).toBe(false);
  const text = statusText(status, paintFor(process.stdout, { NO_COLOR: '1' }));
  return { lostJobs: source?.lostJobs, text: text.includes(`${source?.lostJobs} jobs lost by Redis`) };
}

/** One line per (id, gen), all of them uploaded. */
function expectEachRecordedOnce(rig: RunRig, count: number): void {
  const receipts = rig.receipts();
  expect(receipts.filter(({ status }) => status !== 'uploaded')).toEqual([]);
  expect(receipts).toHaveLength(count);
  expect(new Set(receipts.map(({ id, gen }) => `${id}-${gen}`)).size).toBe(count);
}

test('Redis restarts with its data in the middle of 500 files: all are recorded once, only what was in flight may go twice', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: SERVICE_MS } });
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(500);
  const run = await rig.start();
  const ended = run.once(GIVE_UP_MS, never);
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(100), 15_000);
  await rig.redis.kill();
  const recordedBefore = rig.receipts().map(({ path }) => path);
  expect(recordedBefore.length).toBeLessThan(500);
  await rig.redis.start();
  expect(await ended).toEqual(['drained']);
  expectEachRecordedOnce(rig, 500);
  const times = arrivals(sandbox);
  expect(times.size).toBe(500);
  for (const path of recordedBefore) expect(times.get(path), path).toBe(1);
});

test('a token service that is away is asked by one job at a time, fails no file, and status says why', async () => {
  const sandbox = await sandboxForTest();
  let asked = 0;
  let away = true;
  const rig = await runRig({
    definition: autoglm(sandbox),
    atOnce: 16,
    aroundToken: (read) => async (url, options) => {
      if (!away) return await read(url, options);
      asked += 1;
      return { status: 503, body: '' };
    },
  });
  rig.files(100);
  const run = await rig.start();
  const destination = async () => (await run.report()).destinations[0];
  await vi.waitFor(async () => expect((await destination())?.health).toBe('down'), 15_000);
  expect(await destination()).toMatchObject({
    circuit: expect.stringMatching(/open|probing/),
    failure: expect.stringMatching(/token service at .* does not answer \(HTTP 503\)/),
  });
  // The first reading of all, and a probe each: a hundred jobs would have asked far more often by the fifth.
  await vi.waitFor(() => expect(asked).toBeGreaterThanOrEqual(5), 30_000);
  const tries = rig.log.lines.filter(({ message }) => message === 'upload will be tried again');
  expect(tries.length).toBeGreaterThan(0);
  expect(tries.length).toBeLessThanOrEqual(16 + asked);
  expect(rig.receipts()).toEqual([]);
  away = false;
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(100), 60_000);
  expect(rig.receipts().every(({ status, attempts: sent }) => status === 'uploaded' && sent === 1)).toBe(
    true,
  );
});

test('a flushed Redis loses nothing: files without a recorded result are queued again from disk, recorded ones are not', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: SERVICE_MS } });
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(500);
  const run = await rig.start();
  const ended = run.once(GIVE_UP_MS, never);
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(100), 15_000);
  const recordedBefore = rig.receipts().map(({ path }) => path);
  await rig.redis.connect().flushall();
  const arrivedBefore = new Set(arrivals(sandbox).keys());
  expect(arrivedBefore.size).toBeLessThan(500);
  expect(await ended).toEqual(['drained']);
  expectEachRecordedOnce(rig, 500);
  const times = arrivals(sandbox);
  expect(times.size).toBe(500);
  for (const path of recordedBefore) expect(times.get(path), path).toBe(1);
  expect(rig.log.lines.map(({ message }) => message)).toContain(
    'Redis has lost jobs; their files are queued again',
  );

  // What was lost is counted: every file that went twice is among it, and nothing that was recorded by then.
  const [live] = (await run.report()).sources;
  const lost = live?.lostJobs ?? 0;
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeGreaterThanOrEqual(sandbox.received().length - 500);
  expect(lost).toBeLessThanOrEqual(500 - recordedBefore.length);
  await run.stop(5_000);
  expect(await lostIn(rig)).toEqual({ lostJobs: lost, text: true });
  const { manifest } = rig.plan();
  await compactSource({ dataDir: rig.dataDir, source: 'inbox', manifest, log: rig.log });
  expect(await lostIn(rig)).toEqual({ lostJobs: lost, text: true });
});

test('where Redis has lost nothing status counts 0, and says nothing of it', async () => {
  const rig = await runRig({ definition: autoglm(await sandboxForTest()) });
  rig.files(3);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  await run.stop(5_000);
  expect(await lostIn(rig)).toEqual({ lostJobs: 0, text: false });
});

test('a stop while Redis is gone ends by itself, and the next start goes on where it was', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: SERVICE_MS } });
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(200);
  const first = await rig.start();
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(20), 15_000);
  await rig.redis.kill();
  const deadline = Promise.withResolvers<'hangs'>();
  const timer = setTimeout(() => deadline.resolve('hangs'), 30_000);
  expect(await Promise.race([first.stop(3_000), deadline.promise])).not.toBe('hangs');
  clearTimeout(timer);
  const recordedBefore = rig.receipts().map(({ path }) => path);
  expect(recordedBefore.length).toBeLessThan(200);

  await rig.redis.start();
  // The next start is another process in real life, and sees that the owner of this lease is dead.
  await rig.redis.connect().del(sourceKey('slipway', 'inbox', 'owner'));
  const second = await rig.start();
  expect(await second.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expectEachRecordedOnce(rig, 200);
  const times = arrivals(sandbox);
  for (const path of recordedBefore) expect(times.get(path), path).toBe(1);
});

test('the queue of another data folder is refused though nothing waits in it, and goes on where its user has freed it', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(3);
  const first = await rig.start();
  expect(await first.once(GIVE_UP_MS, never)).toEqual(['drained']);
  await first.stop(5_000);

  // The old folder is deleted on purpose; the journal beside the source is what remains.
  rmSync(rig.dataDir, { recursive: true });
  rig.file('new.txt');
  const [key, lease] = ['ledger', 'owner'].map((rest) => sourceKey('slipway', 'inbox', rest));
  await expect(rig.start()).rejects.toMatchObject({
    code: 'queue_foreign',
    message: expect.stringContaining(`redis-cli DEL "${key}" "${lease}"`),
    details: { dataDir: rig.dataDir },
  });
  await rig.redis.connect().del(String(key), String(lease));
  const again = await rig.start();
  expect(await again.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expectEachRecordedOnce(rig, 4);
  // A ledger that is built again within its data folder is the same one.
  await again.stop(5_000);
  rmSync(join(rig.dataDir, 'sources'), { recursive: true });
  const rebuilt = await rig.start();
  expect(await rebuilt.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expectEachRecordedOnce(rig, 4);
  expect(sandbox.summary().count).toBe(4);
}, 60_000);

test('a full disk under the journal pauses the uploads instead of losing results, and all goes on when there is room', async (context) => {
  const disk = tinyDisk(testFolder(), 1);
  if (disk === null) return context.skip('takes the right to mount a disk');
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), manifestFolder: disk.path });
  writeFileSync(join(disk.path, 'ballast'), Buffer.alloc(900 * 1024));
  rig.files(1_000);
  const run = await rig.start();
  const ended = run.once(GIVE_UP_MS, never);
  const trouble = async () => (await run.report()).sources[0]?.trouble;
  await vi.waitFor(async () => expect(await trouble()).toMatch(/^no space left/), 20_000);
  // Jobs in hand end; then nobody takes more.
  await vi.waitFor(async () => expect((await run.report()).sources[0]?.active).toBe(0), 10_000);
  const arrived = sandbox.summary().count;
  expect(arrived).toBeLessThan(1_000);
  expect(rig.receipts().length).toBeLessThan(arrived);

  disk.grow(16);
  expect(await ended).toEqual(['drained']);
  expectEachRecordedOnce(rig, 1_000);
  expect(sandbox.summary()).toMatchObject({ count: 1_000, repeated: 0 });
  expect(await trouble()).toBeNull();
});
