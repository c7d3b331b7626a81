import { expect, test } from 'vitest';
import { createPendingJobs } from '../../../src/intake/admit/pending-jobs.ts';

const never = new AbortController().signal;

test('room is there until the maximum would be passed, and comes back as jobs are removed', async () => {
  const pending = createPendingJobs(3);
  const first = await pending.waitForRoom(3, 'backlog', never);
  pending.add(['a', 'b', 'c'], first.place);
  first.free();
  let roomy = false;
  const room = pending.waitForRoom(2, 'backlog', never).then(() => {
    roomy = true;
  });
  pending.remove(['a']);
  await Promise.resolve();
  expect(roomy).toBe(false);
  pending.remove(['b']);
  await room;
  expect(roomy).toBe(true);
  expect(pending.size()).toBe(1);
});

test('a chunk larger than the maximum still goes when nothing is pending', async () => {
  const pending = createPendingJobs(1);
  await pending.waitForRoom(100, 'backlog', never);
  expect(pending.size()).toBe(0);
});

test('replacing tells those who wait for room or for the end', async () => {
  const pending = createPendingJobs(2);
  pending.add(['a', 'b']);
  const waits = [pending.waitForRoom(1, 'backlog', never), pending.waitUntilEmpty(never)];
  pending.replace([]);
  await Promise.all(waits);
  expect(pending.has('a')).toBe(false);
});

test('an abort ends the wait with its reason', async () => {
  const pending = createPendingJobs(1);
  pending.add(['a']);
  const stop = new AbortController();
  const wait = pending.waitUntilEmpty(stop.signal);
  stop.abort(new Error('stopping'));
  await expect(wait).rejects.toThrow('stopping');
});

test('what is recorded is open no longer, and keeps its id until that is free', async () => {
  const pending = createPendingJobs(10);
  pending.add(['a', 'b', 'c']);
  for (const jobId of ['a', 'c', 'not ours']) pending.recorded(jobId);
  expect([pending.open(), pending.size(), pending.has('a')]).toEqual([1, 3, true]);
  const gone = pending.waitUntilGone('a', never);
  pending.remove(['a']);
  await gone;
  pending.replace([
    ['b', null],
    ['d', null],
  ]);
  expect([pending.open(), pending.size()]).toEqual([2, 2]);
  await pending.waitUntilGone('never there', never);
});

test('two who wait are not told of the same places', async () => {
  const pending = createPendingJobs(8);
  pending.add(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
  const told: string[] = [];
  const wait = async (name: string): Promise<() => void> => {
    const room = await pending.waitForRoom(2, 'backlog', never);
    told.push(name);
    return room.free;
  };
  const [first, second] = [wait('first'), wait('second')];
  pending.remove(['a', 'b', 'c', 'd']);
  (await first)();
  expect(told).toEqual(['first']);
  await second;
});

test('a live file gets a place at once while the found ones wait, and goes ahead of them', async () => {
  const pending = createPendingJobs(80);
  const found = await pending.waitForRoom(60, 'backlog', never);
  pending.add(
    Array.from({ length: 60 }, (_, index) => `found-${index}`),
    found.place,
  );
  found.free();
  const wait = pending.waitForRoom(10, 'backlog', never);
  const live = await pending.waitForRoom(3, 'live', never);
  expect([live.count, live.place]).toEqual([3, 'front']);
  pending.add(['live'], live.place);
  live.free();
  expect(pending.size()).toBe(61);
  pending.remove(Array.from({ length: 10 }, (_, index) => `found-${index}`));
  expect((await wait).place).toBe('backlog');
});

test('what Redis has lost gives its places back, and what it holds of an earlier process counts as found', async () => {
  const pending = createPendingJobs(40);
  pending.replace(Array.from({ length: 35 }, (_, index) => [`old-${index}`, null] as const));
  const room = await pending.waitForRoom(5, 'live', never);
  expect([room.count, room.place]).toEqual([5, 'front']);
  pending.add(['a', 'b', 'c', 'd', 'e'], room.place);
  room.free();
  pending.replace([]);
  const again = await pending.waitForRoom(35, 'backlog', never);
  expect([again.count, again.place]).toEqual([35, 'backlog']);
});
