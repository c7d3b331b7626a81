import { expect, test } from 'vitest';
import { defaultSettleMs, intakeOptionsSchema } from '../../../src/intake/options.ts';
import { createCaughtUp } from '../../../src/intake/watch/caught-up.ts';
import { createHintedPaths } from '../../../src/intake/watch/hinted-paths.ts';
import { networkTypeOf } from '../../../src/intake/watch/network-fs.ts';
import { createReconcileSchedule } from '../../../src/intake/watch/reconcile-schedule.ts';
import { createOverflowSuspicion } from '../../../src/intake/watch/stall-detector.ts';

test('the first reconcile is due at once, the next one a period after the end', () => {
  const schedule = createReconcileSchedule(300_000);
  expect(schedule.dueMs()).toBe(Number.NEGATIVE_INFINITY);
  schedule.began();
  schedule.ended(1_500, 500);
  expect(schedule.dueMs()).toBe(301_500);
});

test('scans after lost events use at most a tenth of the time; one that is asked for does not wait', () => {
  const schedule = createReconcileSchedule(300_000);
  schedule.began();
  schedule.ended(10_000, 10_000);
  schedule.request('soon', 10_000);
  expect(schedule.dueMs()).toBe(100_000);
  schedule.request('now', 10_000);
  expect(schedule.dueMs()).toBe(Number.NEGATIVE_INFINITY);
});

test('polling is stretched by what a scan costs', () => {
  const schedule = createReconcileSchedule(300_000);
  schedule.setEveryMs(2_000);
  schedule.began();
  schedule.ended(20, 20);
  expect(schedule.dueMs()).toBe(2_020);
  schedule.began();
  schedule.ended(3_020, 1_000);
  expect(schedule.dueMs()).toBe(12_020);
});

test('a scan that waited an hour for room in the queue does not put the next one off by nine', () => {
  const schedule = createReconcileSchedule(300_000);
  schedule.began();
  schedule.ended(3_600_000, 2_000);
  schedule.request('soon', 3_600_000);
  expect(schedule.dueMs()).toBe(3_618_000);
});

test('what is requested during a scan is not forgotten when it ends', () => {
  const schedule = createReconcileSchedule(300_000);
  schedule.began();
  schedule.request('soon', 50);
  schedule.ended(100, 100);
  expect(schedule.dueMs()).toBe(1_100);
});

test('part of the tree being unreadable brings the next scan forward, but not at once', () => {
  const schedule = createReconcileSchedule(300_000);
  schedule.began();
  schedule.request('retry', 50);
  schedule.ended(100, 100);
  expect(schedule.dueMs()).toBe(30_050);
});

test('a stall is told after the next calm tick, a burst likewise, and each once', () => {
  const suspicion = createOverflowSuspicion(2_048);
  expect(suspicion.tick(100, 5)).toBeNull();
  expect(suspicion.tick(5_000, 0)).toBeNull();
  expect(suspicion.tick(100, 10)).toBe('stall');
  expect(suspicion.tick(100, 10)).toBeNull();
  expect(suspicion.tick(100, 2_049)).toBeNull();
  expect(suspicion.tick(100, 3_000)).toBeNull();
  expect(suspicion.tick(100, 0)).toBe('burst');
});

test('a burst that does not end is told of all the same', () => {
  const suspicion = createOverflowSuspicion(2_048);
  const told = Array.from({ length: 40 }, () => suspicion.tick(100, 9_999)).filter((said) => said !== null);
  expect(told).toEqual(['burst']);
});

test('too many hints become one full reconcile', () => {
  let overflows = 0;
  const dirty = createHintedPaths(3, () => {
    overflows += 1;
  });
  for (const path of ['a', 'b', 'a', 'c']) dirty.mark(path);
  expect(dirty.take(2)).toEqual(['a', 'b']);
  for (const path of ['d', 'e', 'f']) dirty.mark(path);
  expect([dirty.size(), overflows]).toEqual([0, 1]);
});

/** Files that are tracked, by their sequence numbers. */
function tracked(...seqs: number[]) {
  return {
    oldestSeq: () => seqs[0] ?? null,
    below: (bound: number) => seqs.filter((seq) => seq < bound).map((seq) => ({ path: `${seq}` })),
  };
}

test('caught up is said after a scan that began after the question, once what it found has settled', async () => {
  const caughtUp = createCaughtUp(1_000);
  caughtUp.scanBegan();
  let said: unknown = null;
  const waiting = caughtUp.wait().then((unsettled) => {
    said = unsettled;
  });
  caughtUp.scanEnded(5, 0);
  expect(caughtUp.met(tracked(), 0)).toBe(false);
  caughtUp.scanBegan();
  caughtUp.scanEnded(8, 0);
  expect(caughtUp.met(tracked(7), 0)).toBe(false);
  // A file first seen after the scan is no reason to wait.
  expect(caughtUp.met(tracked(8), 0)).toBe(true);
  caughtUp.tell(tracked(8), 0);
  await waiting;
  expect([said, caughtUp.pending()]).toEqual([[], false]);
});

test('files that are written all the time are not waited for once none has become whole for the patience', async () => {
  const caughtUp = createCaughtUp(1_000);
  const waiting = caughtUp.wait();
  caughtUp.scanBegan();
  caughtUp.scanEnded(8, 0);
  const metAt = (nowMs: number, ...seqs: number[]): boolean => caughtUp.met(tracked(...seqs), nowMs);
  expect([metAt(500, 1, 2, 3), metAt(900, 1, 2, 3), metAt(1_000, 2, 3)]).toEqual([false, false, false]);
  // One became whole: the patience begins anew, and while the way into the queue is busy it does not pass.
  expect([metAt(1_900, 2, 3), caughtUp.nextDueMs()]).toEqual([false, 2_000]);
  caughtUp.heldUp(5_000);
  expect([metAt(5_900, 2, 3), metAt(6_000, 2, 3)]).toEqual([false, true]);
  caughtUp.tell(tracked(2, 3, 9), 6_000);
  expect(await waiting).toEqual([{ path: '2' }, { path: '3' }]);
});

test('network file systems are known by their type, signed or not', () => {
  expect(networkTypeOf(0x6969)).toBe('NFS');
  expect(networkTypeOf(0xff534d42 | 0)).toBe('CIFS');
  expect(networkTypeOf(0x65735546)).toBe('FUSE');
  expect(networkTypeOf(0xef53)).toBeNull();
});

test('every option but the path has its default', () => {
  expect(intakeOptionsSchema.parse({ path: './inbox' })).toEqual({
    path: './inbox',
    include: ['**/*'],
    ignore: [],
    rescan: 300_000,
    hidden: false,
    polling: 'auto',
    minAge: 0,
    minBytes: null,
    maxBytes: null,
    existing: 'upload',
    dedupe: 'version',
    batch: null,
    meta: null,
  });
});

test('a settle that is not written is longer where files are deleted or moved: their writers may pause', () => {
  expect([defaultSettleMs(false), defaultSettleMs(true)]).toEqual([2_000, 10_000]);
});
