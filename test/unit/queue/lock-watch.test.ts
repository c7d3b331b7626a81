import { expect, test } from 'vitest';
import { lockWatch } from '../../../src/queue/lock-watch.ts';

test('a lock is trusted for half of its duration after the start and after each renewal', () => {
  let now = 0;
  const locks = lockWatch(8_000, () => now);
  locks.started('j');
  now = 4_000;
  expect(locks.doubtful('j')).toBe(false);
  locks.renewed(['j']);
  now = 8_000;
  expect(locks.doubtful('j')).toBe(false);
  now = 8_001;
  expect(locks.doubtful('j')).toBe(true);
});

test('a failed renewal is doubt at once, and an ended job is forgotten', () => {
  const locks = lockWatch(8_000, () => 5);
  locks.started('j');
  locks.lost(['j']);
  expect(locks.doubtful('j')).toBe(true);
  locks.ended('j');
  locks.renewed(['j']);
  expect(locks.doubtful('j')).toBe(false);
});

test('a job in hand a second time stays in doubt once the first go has ended: nobody renews its lock then', () => {
  const locks = lockWatch(8_000, () => 5);
  locks.started('j');
  locks.started('j');
  locks.ended('j');
  expect(locks.doubtful('j')).toBe(true);
  locks.ended('j');
  locks.started('j');
  expect(locks.doubtful('j')).toBe(false);
});
