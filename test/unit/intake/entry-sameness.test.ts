import { expect, test } from 'vitest';
import type { KeptEntryMark } from '../../../src/domain/entry-mark.ts';
import { entrySameness } from '../../../src/intake/archives/entry-sameness.ts';
import type { RecordedVersion } from '../../../src/intake/ports.ts';

const uploaded: RecordedVersion = { gen: 0, status: 'uploaded', code: null, again: false };
const broken: RecordedVersion = { ...uploaded, status: 'failed', code: 'archive_entry_broken' };
const rejected: RecordedVersion = { ...uploaded, status: 'failed', code: 'rejected' };
const kept = (change: Partial<KeptEntryMark> = {}): KeptEntryMark => ({
  ...{ gen: 0, archive: 'one', crc32: 1 },
  ...change,
});

test.each([
  ['nothing was kept', uploaded, null, { archive: 'one', crc32: 1 }, 'unmarked'],
  ['of another generation', { ...uploaded, gen: 1 }, kept(), { archive: 'two', crc32: 2 }, 'unmarked'],
  ['the same archive', uploaded, kept({ crc32: null }), { archive: 'one', crc32: null }, 'same'],
  ['another archive, the same sum', uploaded, kept(), { archive: 'two', crc32: 1 }, 'same'],
  ['the same archive by name, another sum', uploaded, kept(), { archive: 'one', crc32: 2 }, 'other'],
  [
    'another archive without sums',
    uploaded,
    kept({ crc32: null }),
    { archive: 'two', crc32: null },
    'unknown',
  ],
  ['a tar in the place of a zip', uploaded, kept(), { archive: 'two', crc32: null }, 'unknown'],
  ['broken, in the same archive', broken, kept(), { archive: 'one', crc32: 1 }, 'same'],
  ['broken, in another archive', broken, kept(), { archive: 'two', crc32: 1 }, 'other'],
  ['refused by the far side, the same sum', rejected, kept(), { archive: 'two', crc32: 1 }, 'same'],
  [
    'refused by the far side, no sums',
    rejected,
    kept({ crc32: null }),
    { archive: 'two', crc32: null },
    'same',
  ],
] as const)('%s', (_what, recorded, mark, now, expected) => {
  expect(entrySameness(recorded, mark, now)).toBe(expected);
});
