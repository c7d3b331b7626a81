import type { BigIntStats } from 'node:fs';
import { expect, test } from 'vitest';
import { assertSameVersion } from '../../../src/upload/attempt/file-check.ts';

const QUEUED = '1795309323004123456';

function compared(mtimeNs: bigint, queued = QUEUED): string {
  const stats = { isFile: () => true, size: 10n, ino: 1n, mtimeNs } as BigIntStats;
  try {
    assertSameVersion(stats, { root: '/r', name: { path: 'a' }, size: 10, mtimeNs: queued }, null);
    return 'same';
  } catch {
    return 'changed';
  }
}

test.each([
  ['exactly the time that was queued', 1_795_309_323_004_123_456n, 'same'],
  ['a view that ends at milliseconds', 1_795_309_323_004_000_000n, 'same'],
  ['a view that ends at microseconds', 1_795_309_323_004_123_000n, 'same'],
  ['a view that rounds to microseconds', 1_795_309_323_004_124_000n, 'same'],
  ['another millisecond, seen coarsely', 1_795_309_323_005_000_000n, 'changed'],
  ['the millisecond before, seen coarsely', 1_795_309_323_003_000_000n, 'changed'],
  ['a view that ends at seconds: not known to be the same', 1_795_309_323_000_000_000n, 'changed'],
  ['another nanosecond, seen exactly', 1_795_309_323_004_123_457n, 'changed'],
  ['one with tenths of microseconds is exact', 1_795_309_323_004_123_400n, 'changed'],
])('%s: %s', (_what, seen, expected) => expect(compared(seen)).toBe(expected));

test('a time before 1970 is compared like any other', () => {
  expect(compared(-1_500_000n, '-1500000')).toBe('same');
  expect(compared(-1_000_000n, '-2999999')).toBe('changed');
});
