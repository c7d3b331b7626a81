import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { type PauseTarget, withoutPause, withPause } from '../../../src/domain/pause-list.ts';
import { changePauses, readPauses } from '../../../src/redis/coordination/pauses.ts';
import type { Run } from '../../../src/runtime/run.ts';
import { pacedDefinition, startPacedApi } from '../../support/paced-api.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';

const never = new AbortController().signal;
const SINCE = '2026-11-22T01:02:03.000Z';

const dataDirOf = (rig: RunRig): string => join(rig.root(), '..', 'data');
const redisOf = (rig: RunRig) => ({ connection: rig.redis.connect(), prefix: 'slipway' });

async function pause(rig: RunRig, target: PauseTarget): Promise<void> {
  await changePauses(dataDirOf(rig), redisOf(rig), (list) => withPause(list, target, SINCE));
}

async function resume(rig: RunRig, target: PauseTarget): Promise<void> {
  await changePauses(dataDirOf(rig), redisOf(rig), (list) => withoutPause(list, target));
}

async function isPaused(run: Run, source: string): Promise<boolean> {
  return (await run.report()).sources.some(({ name, paused }) => name === source && paused !== undefined);
}

test('a paused source is found and kept but not sent, the others go on; resumed it goes on by itself', async () => {
  const api = await startPacedApi();
  const rig = await runRig({ definition: pacedDefinition(api), sources: ['inbox', 'scans'] });
  const run = await rig.start();
  await pause(rig, { kind: 'source', name: 'inbox' });
  await vi.waitFor(async () => expect(await isPaused(run, 'inbox')).toBe(true), 5_000);
  rig.files(10, 'inbox');
  rig.files(10, 'scans');
  await vi.waitFor(() => expect(rig.receipts('scans')).toHaveLength(10), 10_000);
  await vi.waitFor(async () => expect((await run.report()).sources[0]?.pending).toBe(10), 10_000);
  expect(rig.receipts('inbox')).toEqual([]);
  expect(await isPaused(run, 'scans')).toBe(false);
  await resume(rig, { kind: 'source', name: 'inbox' });
  await vi.waitFor(() => expect(rig.receipts('inbox')).toHaveLength(10), 10_000);
});

test('a pause outlives the process and everything in Redis', async () => {
  const api = await startPacedApi();
  const rig = await runRig({ definition: pacedDefinition(api) });
  const first = await rig.start();
  await pause(rig, { kind: 'destination', name: 'test' });
  await vi.waitFor(async () => expect(await isPaused(first, 'inbox')).toBe(true), 5_000);
  await first.stop(5_000);
  await rig.redis.connect().flushall();

  rig.files(5);
  const second = await rig.start();
  await vi.waitFor(async () => expect((await second.report()).sources[0]?.waiting).toBe(5), 10_000);
  expect((await second.report()).destinations[0]?.pausedSince).toBe(SINCE);
  expect(await second.once(300, never)).toEqual(['gave-up']);
  expect(api.requests).toEqual([]);
  // The list is back in Redis for processes on other hosts.
  await vi.waitFor(async () => {
    expect((await readPauses('/nowhere', redisOf(rig))).paused).toHaveLength(1);
  }, 5_000);
  await resume(rig, { kind: 'everything', name: '' });
  expect(await second.once(60_000, never)).toEqual(['drained']);
  expect(api.accepted()).toHaveLength(5);
});

test('uploads under way finish when their destination is paused', async () => {
  const api = await startPacedApi(300);
  const rig = await runRig({ definition: pacedDefinition(api), atOnce: 4 });
  rig.files(40);
  const run = await rig.start();
  await vi.waitFor(() => expect(api.requests.length).toBeGreaterThanOrEqual(4), 10_000);
  await pause(rig, { kind: 'everything', name: '' });
  await vi.waitFor(
    async () => expect((await run.report()).destinations[0]?.pausedSince).not.toBeNull(),
    5_000,
  );
  await vi.waitFor(async () => expect((await run.report()).destinations[0]?.inFlight).toBe(0), 10_000);
  await vi.waitFor(() => expect(rig.receipts().length).toBe(api.accepted().length), 5_000);
  const sent = api.requests.length;
  expect(sent).toBeLessThan(40);
  await vi.waitFor(async () => {
    const [source] = (await run.report()).sources;
    expect([source?.active, source?.pending]).toEqual([0, 40 - sent]);
  }, 10_000);
  await resume(rig, { kind: 'everything', name: '' });
  expect(await run.once(60_000, never)).toEqual(['drained']);
  // None was sent twice.
  expect(new Set(api.accepted()).size).toBe(40);
  expect(api.requests).toHaveLength(40);
});
