/** A Redis that holds other things than it was left with: a list evicted, a snapshot of long ago. */
import { expect, test, vi } from 'vitest';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { autoglm, GIVE_UP_MS, never } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandboxForTest>>;

const FILES = 400;
const AT_ONCE = 8;

async function place(serviceMs: number) {
  const sandbox = await sandboxForTest({ capacity: { knee: AT_ONCE, serviceMs } });
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: AT_ONCE });
  return { sandbox, rig };
}

function arrivals(sandbox: Sandbox): Map<string, number> {
  const times = new Map<string, number>();
  for (const { filename } of sandbox.received()) times.set(filename, (times.get(filename) ?? 0) + 1);
  return times;
}

const recordedPaths = (rig: RunRig): string[] => rig.receipts().map(({ path }) => path);

function expectEachRecordedOnce(rig: RunRig, count: number): void {
  const receipts = rig.receipts();
  expect(receipts.filter(({ status }) => status !== 'uploaded')).toEqual([]);
  expect(new Set(receipts.map(({ path }) => path)).size).toBe(count);
  expect(receipts).toHaveLength(count);
}

/** An intake alone queues what lies there. */
async function queued(rig: RunRig, count: number): Promise<void> {
  const intake = await rig.start({ roles: ['intake'] });
  const asker = rig.redis.connect();
  await vi.waitFor(async () => expect(await asker.llen('slipway:{inbox}:wait')).toBe(count));
  await intake.stop(2_000);
}

test('files whose list was evicted while nothing ran are queued again, and a run of them ends', async () => {
  const { sandbox, rig } = await place(5);
  rig.files(10);
  await queued(rig, 10);
  expect(await rig.redis.connect().del('slipway:{inbox}:wait')).toBe(1);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expectEachRecordedOnce(rig, 10);
  expect(sandbox.summary().count).toBe(10);
});

test('lists evicted under a run: what waits is queued again, and what is in hand is sent once', async () => {
  const { sandbox, rig } = await place(30);
  rig.files(FILES);
  const run = await rig.start();
  const ended = run.once(GIVE_UP_MS, never);
  const asker = rig.redis.connect();
  for (const list of ['wait', 'active']) {
    const due = rig.receipts().length + 50;
    await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(due));
    expect(await asker.del(`slipway:{inbox}.carriers:${list}`)).toBe(1);
  }
  expect(await ended).toEqual(['drained']);
  expectEachRecordedOnce(rig, FILES);
  expect(sandbox.summary().count).toBe(FILES);
  // Nothing is left of carriers that stood in no list any more.
  expect(await asker.keys('slipway:{inbox}.carriers:c-*')).toEqual([]);
});

test('a Redis that goes back under a process that is owner and worker at once: nothing recorded is sent again', async () => {
  const { sandbox, rig } = await place(20);
  rig.files(FILES);
  const run = await rig.start();
  const ended = run.once(GIVE_UP_MS, never);
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(FILES / 8));
  await rig.redis.keepSnapshot();
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(FILES / 2));
  await rig.redis.kill();
  await rig.redis.goBackToSnapshot();
  await rig.redis.start();
  expect(await ended).toEqual(['drained']);
  expectEachRecordedOnce(rig, FILES);
  // Not even what was under way: its owner lives, and knows it.
  expect(sandbox.summary().count).toBe(FILES);
  expect((await run.report()).sources[0]?.lostJobs).toBe(0);
});

test('after an older snapshot was restored while nothing ran, nothing that is recorded is sent again', async () => {
  const { sandbox, rig } = await place(5);
  rig.files(FILES);
  await queued(rig, FILES);
  await rig.redis.keepSnapshot();
  const before = await rig.start();
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(FILES / 2));
  await before.stop(5_000);
  const recorded = recordedPaths(rig);
  expect(recorded.length).toBeLessThan(FILES);
  await rig.redis.kill();
  await rig.redis.goBackToSnapshot();
  await rig.redis.start();
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expectEachRecordedOnce(rig, FILES);
  const times = arrivals(sandbox);
  for (const path of recorded) expect(times.get(path), path).toBe(1);
  expect((await run.report()).sources[0]?.lostJobs).toBe(0);
});

test('a Redis that goes back under owner and worker in processes of their own: nothing recorded is sent again', async () => {
  const { sandbox, rig } = await place(20);
  rig.files(FILES);
  const intake = await rig.start({ roles: ['intake'] });
  const worker = await rig.start({ roles: ['worker'] });
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(FILES / 8));
  await rig.redis.keepSnapshot();
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(FILES / 2));
  await rig.redis.kill();
  const recorded = recordedPaths(rig);
  await rig.redis.goBackToSnapshot();
  await rig.redis.start();
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(FILES), 60_000);
  expectEachRecordedOnce(rig, FILES);
  const times = arrivals(sandbox);
  for (const path of recorded) expect(times.get(path), path).toBe(1);
  await worker.stop(2_000);
  await intake.stop(2_000);
});

test('a worker takes no job from a Redis that no owner has compared with its ledger', async () => {
  const { sandbox, rig } = await place(5);
  rig.files(20);
  await queued(rig, 20);
  await rig.redis.kill();
  await rig.redis.start();
  const worker = await rig.start({ roles: ['worker'] });
  const asker = rig.redis.connect();
  // Long enough for all of them, had it begun.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(await asker.llen('slipway:{inbox}:wait')).toBe(20);
  expect(sandbox.summary().count).toBe(0);
  const intake = await rig.start({ roles: ['intake'] });
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(20));
  expect(sandbox.summary().count).toBe(20);
  await worker.stop(2_000);
  await intake.stop(2_000);
});
