import { expect, test } from 'vitest';
import type { SeenFile } from '../../../src/intake/scan/seen-file.ts';
import { createSettle, type Instant, type Settle } from '../../../src/intake/scan/settle.ts';
import { seenFile } from '../../support/next-generation.ts';

const WALL = 1_800_000_000_000;

/** `t` ms after the start of the test, on both clocks. */
function at(t: number): Instant {
  return { wallMs: WALL + t, monotonicMs: t };
}

function file(path: string, changedAt: number, more: Partial<SeenFile> = {}): SeenFile {
  const ms = WALL + changedAt;
  return seenFile(path, { size: 10, mtimeNs: `${ms}000000`, mtimeMs: ms, ctimeMs: ms, ...more });
}

function settleWith(trustTimes = true, maxTracked = 1_000, minAgeMs = 0): Settle {
  return createSettle({ settleMs: 2_000, minAgeMs, trustTimes: () => trustTimes, maxTracked });
}

const pathsOf = (settle: Settle, t: number): string[] => settle.due(t, 100).map(({ path }) => path);

test('a file whose mtime and ctime are both old enough is settled when first seen', () => {
  expect(settleWith().see(file('a', -2_000), at(0))).not.toBeNull();
});

test('an old mtime with a fresh ctime waits: the file was just copied or moved here', () => {
  const settle = settleWith();
  expect(settle.see(file('a', -90_000, { ctimeMs: WALL - 500 }), at(0))).toBeNull();
  expect(settle.nextDueMs()).toBe(1_500);
});

test('a fresh file is due exactly settle after its last change, and settled when it looks the same then', () => {
  const settle = settleWith();
  settle.see(file('a', -300), at(0));
  expect(pathsOf(settle, 1_699)).toEqual([]);
  expect(pathsOf(settle, 1_700)).toEqual(['a']);
  expect(settle.see(file('a', -300), at(1_700))).not.toBeNull();
  expect(settle.size()).toBe(0);
});

test('a writer whose pauses are shorter than settle is waited for to the end', () => {
  const settle = settleWith();
  for (let t = 0; t <= 20_000; t += 1_900) {
    expect(settle.see(file('a', t, { size: t }), at(t))).toBeNull();
    expect(pathsOf(settle, t + 1_899)).toEqual([]);
  }
  expect(settle.nextDueMs()).not.toBeNull();
});

test('a change found at the due time starts the wait again', () => {
  const settle = settleWith();
  settle.see(file('a', 0), at(0));
  expect(pathsOf(settle, 2_000)).toEqual(['a']);
  expect(settle.see(file('a', 1_990, { size: 11 }), at(2_000))).toBeNull();
  expect(pathsOf(settle, 3_989)).toEqual([]);
  expect(pathsOf(settle, 3_990)).toEqual(['a']);
});

test('times in the future say nothing: the file settles when it has been seen unchanged for settle', () => {
  const settle = settleWith();
  expect(settle.see(file('a', 3_600_000), at(0))).toBeNull();
  expect(pathsOf(settle, 2_000)).toEqual(['a']);
  expect(settle.see(file('a', 3_600_000), at(2_000))).not.toBeNull();
});

test('on a network file system even the oldest file is seen twice', () => {
  const settle = settleWith(false);
  expect(settle.see(file('a', -9e9), at(0))).toBeNull();
  expect(pathsOf(settle, 2_000)).toEqual(['a']);
  expect(settle.see(file('a', -9e9), at(2_000))).not.toBeNull();
});

test('a look in between changes nothing while the file is the same', () => {
  const settle = settleWith();
  settle.see(file('a', 0), at(0));
  settle.see(file('a', 0), at(1_000));
  expect(settle.nextDueMs()).toBe(2_000);
  expect(settle.see(file('a', 0), at(2_000))).not.toBeNull();
  expect(pathsOf(settle, 9_999)).toEqual([]);
});

test('a file that vanishes and returns many times is tracked once and due once', () => {
  const settle = settleWith();
  for (let t = 0; t < 1_000; t += 1) {
    settle.see(file('a', t), at(t));
    settle.forget({ path: 'a' });
  }
  settle.see(file('a', 1_000), at(1_000));
  expect(settle.size()).toBe(1);
  expect(pathsOf(settle, 2_999)).toEqual([]);
  expect(pathsOf(settle, 3_000)).toEqual(['a']);
  expect(settle.nextDueMs()).toBeNull();
});

test('due files come earliest first and no more than asked for', () => {
  const settle = settleWith();
  const order = [500, 100, 900, 300, 700];
  for (const t of order) settle.see(file(`f${t}`, t), at(t));
  expect(settle.due(9_999, 2).map(({ path }) => path)).toEqual(['f100', 'f300']);
  expect(pathsOf(settle, 9_999)).toEqual(['f500', 'f700', 'f900']);
});

test('the sequence tells what was first seen before a moment, however often it changes', () => {
  const settle = settleWith();
  settle.see(file('old', 0), at(0));
  const mark = settle.nextSeq();
  settle.see(file('new', 10), at(10));
  settle.see(file('old', 20, { size: 99 }), at(20));
  expect(settle.oldestSeq()).toBeLessThan(mark);
  settle.forget({ path: 'old' });
  expect(settle.oldestSeq()).toBeGreaterThanOrEqual(mark);
});

test('two names that look alike as text are two files', () => {
  const settle = settleWith();
  settle.see(file('x', 0, { name: { path: 'a\uFFFD', pathBytes: 'Yf8=' } }), at(0));
  settle.see(file('x', 0, { name: { path: 'a\uFFFD', pathBytes: 'Yf4=' } }), at(0));
  expect(settle.size()).toBe(2);
});

test('there is no room past the most files tracked', () => {
  const settle = settleWith(true, 2);
  settle.see(file('a', 0), at(0));
  expect(settle.hasRoom()).toBe(true);
  settle.see(file('b', 0), at(0));
  expect(settle.hasRoom()).toBe(false);
});

test('minAge counts from the last change, for the backlog as for a live file, and a change begins it anew', () => {
  const settle = settleWith(true, 1_000, 60_000);
  expect(settle.see(file('old', -60_000), at(0))).not.toBeNull();
  expect(settle.see(file('young', -50_000), at(0))).toBeNull();
  expect(settle.see(file('live', 0), at(0))).toBeNull();
  expect(pathsOf(settle, 9_999)).toEqual([]);
  expect(pathsOf(settle, 10_000)).toEqual(['young']);
  expect(settle.see(file('young', -50_000), at(10_000))).not.toBeNull();
  settle.see(file('live', 30_000), at(30_000));
  expect(pathsOf(settle, 89_999)).toEqual([]);
  expect(pathsOf(settle, 90_000)).toEqual(['live']);
  expect(settle.see(file('live', 30_000), at(90_000))).not.toBeNull();
});

test('a time of change that was set back does not make a file older than it is here', () => {
  const settle = settleWith(true, 1_000, 60_000);
  expect(settle.see(file('copied', -9e9, { ctimeMs: WALL }), at(0))).toBeNull();
  expect(pathsOf(settle, 59_999)).toEqual([]);
});

test('with minAge an old file on a network file system still waits for settle, and one from the future for minAge', () => {
  const settle = settleWith(false, 1_000, 60_000);
  settle.see(file('old', -9e9), at(0));
  settle.see(file('future', 9e9), at(0));
  expect(pathsOf(settle, 2_000)).toEqual(['old']);
  expect(settle.see(file('old', -9e9), at(2_000))).not.toBeNull();
  expect(pathsOf(settle, 60_000)).toEqual(['future']);
});

test('a tracked file that an event names is looked at when due; what no look shows yet keeps it from being settled', () => {
  const settle = settleWith();
  expect(settle.touch('a', 0)).toBe(false);
  settle.see(file('a', 0), at(0));
  expect(settle.touch('a', 0)).toBe(true);
  // Before the look that is due: that look shows it.
  expect(pathsOf(settle, 2_000)).toEqual(['a']);
  // After the look was taken and before it is judged.
  expect(settle.touch('a', 2_000)).toBe(true);
  expect(settle.see(file('a', 0), at(2_000))).toBeNull();
  expect(pathsOf(settle, 2_000)).toEqual(['a']);
  expect(settle.see(file('a', 0), at(2_000))).not.toBeNull();
  expect(settle.touch('a', 2_000)).toBe(false);
});

test('a file that came back after the look that did not find it is looked at once more', () => {
  const settle = settleWith();
  settle.see(file('a', 0), at(0));
  expect(pathsOf(settle, 2_000)).toEqual(['a']);
  // Deleted, looked at, written again: the event was taken as one of a file that is looked at anyway.
  expect(settle.touch('a', 2_000)).toBe(true);
  settle.forget({ path: 'a' });
  expect(pathsOf(settle, 2_000)).toEqual(['a']);
  settle.forget({ path: 'a' });
  expect(settle.size()).toBe(0);
  expect(settle.nextDueMs()).toBeNull();
});

test('a file that waits for a long minAge is looked at after an event, since it may be gone', () => {
  const settle = settleWith(true, 1_000, 3_600_000);
  settle.see(file('a', 0), at(0));
  expect(settle.touch('a', 1_000)).toBe(false);
  expect(settle.arrivalOf({ path: 'a' })).toBe('live');
  settle.forget({ path: 'a' });
  expect(settle.size()).toBe(0);
  settle.see(file('b', 0), at(0));
  expect(settle.touch('b', 3_599_000)).toBe(true);
});

test('an event whose name may be the garbled one of another file is never taken for one of a tracked file alone', () => {
  const settle = settleWith();
  settle.see(file('a\uFFFD', 0), at(0));
  expect(settle.touch('a\uFFFD', 0)).toBe(false);
});

test('where file times are not of this clock an event leads to a look at once, from which the wait is counted', () => {
  const settle = settleWith(false);
  settle.see(file('a', 0), at(0));
  expect(settle.touch('a', 0)).toBe(false);
});

test('it says when this version was first seen, and when it was settled', () => {
  const settle = settleWith();
  expect(settle.see(file('old', -9_000), at(5))).toEqual({ seenAtMs: WALL + 5, settledAtMs: WALL + 5 });

  settle.see(file('a', 0), at(10));
  settle.see(file('a', 0), at(500));
  // Another owner: the same version, but its wait begins anew.
  settle.see(file('a', 0, { ctimeMs: WALL + 900 }), at(900));
  const settled = settle.see(file('a', 0, { ctimeMs: WALL + 900 }), at(2_900));
  expect(settled).toEqual({ seenAtMs: WALL + 10, settledAtMs: WALL + 2_900 });

  settle.see(file('b', 0), at(10));
  settle.see(file('b', 700, { size: 99 }), at(700));
  const other = settle.see(file('b', 700, { size: 99 }), at(2_700));
  expect(other).toEqual({ seenAtMs: WALL + 700, settledAtMs: WALL + 2_700 });
});
