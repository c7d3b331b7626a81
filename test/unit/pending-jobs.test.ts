import { expect, test } from 'vitest';
import { createPendingJobs } from '../../src/runtime/pending-jobs.ts';

const never = new AbortController().signal;

test('room is there until the maximum would be passed, and comes back as jobs are removed', async () => {
  const pending = createPendingJobs(3);
  await pending.waitForRoom(3, never);
  pending.add(['a', 'b', 'c']);
  let roomy = false;
  const room = pending.waitForRoom(2, never).then(() => {
    roomy = true;
  });
  pending.remove(['a']);
  await Promise.resolve();
  expect(roomy).toBe(false);
  pending.remove(['b']);
  await room;
  expect(pending.size()).toBe(1);
});

test('a chunk larger than the maximum still goes when nothing is pending', async () => {
  const pending = createPendingJobs(1);
  await pending.waitForRoom(100, never);
  expect(pending.size()).toBe(0);
});

test('replacing tells those who wait for room or for the end', async () => {
  const pending = createPendingJobs(2);
  pending.add(['a', 'b']);
  const waits = [pending.waitForRoom(1, never), pending.waitUntilEmpty(never)];
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
  pending.replace(['b', 'd']);
  expect([pending.open(), pending.size()]).toEqual([2, 2]);
  await pending.waitUntilGone('never there', never);
});
