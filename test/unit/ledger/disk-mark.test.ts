import { expect, test } from 'vitest';
import { decide } from '../../../src/intake/admit/decision.ts';
import { mayDiffer } from '../../../src/intake/admit/disk-sameness.ts';
import type { RecordedVersion } from '../../../src/intake/ports.ts';
import type { SeenFile } from '../../../src/intake/scan/seen-file.ts';
import {
  decodeRecorded,
  encodeRecorded,
  isAgain,
  markedAgain,
  markedOnDisk,
} from '../../../src/ledger/ledger-codec.ts';
import { NO_RULES } from '../../support/next-generation.ts';

const uploaded = { gen: 3, status: 'uploaded', code: null, offset: 5_000_000_000, length: 700 } as const;
const disk = { ino: 2n ** 63n + 5n, ctimeMs: 1_795_309_323_004 };

test('the mark of a file travels with the record of its upload, and comes to one that had none', () => {
  expect(decodeRecorded(encodeRecorded(uploaded))).toEqual({ ...uploaded, again: false });
  const marked = encodeRecorded({ ...uploaded, disk });
  expect(decodeRecorded(marked)).toEqual({ ...uploaded, disk, again: false });
  expect(markedOnDisk(encodeRecorded(uploaded), disk)).toEqual(marked);
  expect(decodeRecorded(markedAgain(marked))).toEqual({ ...uploaded, disk, again: true });
  expect(isAgain(markedOnDisk(markedAgain(marked), disk))).toBe(true);
});

test('of a file that could not be read the mark is kept beside the code', () => {
  const failed = { ...uploaded, status: 'failed', code: 'file_unreadable' } as const;
  expect(decodeRecorded(encodeRecorded(failed))).toEqual({ ...failed, again: false });
  expect(decodeRecorded(encodeRecorded({ ...failed, disk }))).toEqual({ ...failed, disk, again: false });
});

test.each([
  ['its time of change is another', 'file_unreadable', disk, 5, 'upload'],
  ['it is as it was', 'file_unreadable', disk, disk.ctimeMs, 'nothing'],
  ['nothing was kept', 'file_unreadable', undefined, 5, 'nothing'],
  ['it failed for another reason', 'rejected', disk, 5, 'nothing'],
] as const)('a file that could not be read goes again: %s', (_what, code, mark, ctimeMs, expected) => {
  const known: RecordedVersion = { gen: 0, status: 'failed', code, again: false, disk: mark };
  const file = { name: { path: 'a' }, size: 1, ctimeMs };
  expect(decide(file, known, NO_RULES).kind).toBe(expected);
});

test('a code of the length of a mark is a code: only uploads have marks', () => {
  const failed = { ...uploaded, status: 'failed', code: 'sixteen_letters_' } as const;
  expect(decodeRecorded(encodeRecorded({ ...failed, disk }))).toEqual({ ...failed, again: false });
});

test.each([
  ['the same file', { status: 'uploaded', disk }, disk, false],
  ['another inode', { status: 'uploaded', disk }, { ...disk, ino: 1n }, true],
  ['another time of change', { status: 'uploaded', disk }, { ...disk, ctimeMs: 1 }, true],
  ['nothing was kept', { status: 'uploaded' }, disk, true],
  ['it goes again anyway', { status: 'uploaded', disk, again: true }, { ...disk, ino: 1n }, false],
  ['it was not uploaded', { status: 'failed', code: 'rejected' }, { ...disk, ino: 1n }, false],
] as const)('%s: is it looked at? ', (_what, recorded, now, looked) => {
  const known: RecordedVersion = { gen: 0, code: null, again: false, ...recorded };
  expect(mayDiffer(now as unknown as SeenFile, known)).toBe(looked);
});
