import { expect, test } from 'vitest';
import { decide, type Rules } from '../../../src/intake/admit/decision.ts';
import type { RecordedVersion } from '../../../src/intake/ports.ts';
import { NO_RULES, seenFile } from '../../support/next-generation.ts';

function recorded(code: string | null, change: Partial<RecordedVersion> = {}): RecordedVersion {
  return { gen: 2, status: code === null ? 'uploaded' : 'skipped', code, again: false, ...change };
}

const TAKES_ALL = { minBytes: null, maxBytes: null, extensions: null };
const failed = { status: 'failed' } as const;

/** Of a file `a.pdf` of 100 bytes: `2 upload`, `3 skip empty`, `nothing`. */
function ruled(known: RecordedVersion | null, rules: Partial<Rules> = {}): string {
  const ruling = decide(seenFile('a.pdf', { size: 100, ctimeMs: 1_000 }), known, { ...NO_RULES, ...rules });
  if (ruling.kind === 'nothing') return 'nothing';
  return 'code' in ruling ? `${ruling.gen} ${ruling.kind} ${ruling.code}` : `${ruling.gen} ${ruling.kind}`;
}

test.each<[string, RecordedVersion | null, Partial<Rules>, string]>([
  ['unknown', null, {}, '0 upload'],
  ['unknown, as large as may be', null, { minBytes: 100, maxBytes: 100 }, '0 upload'],
  ['unknown, too large for the source', null, { maxBytes: 99 }, '0 skip too_large'],
  ['unknown, too small for the source', null, { minBytes: 101 }, '0 skip empty'],
  [
    'unknown, too large for the destination: the worker says so',
    null,
    { limits: { ...TAKES_ALL, maxBytes: 1 } },
    '0 upload',
  ],
  ['uploaded', recorded(null), { maxBytes: 1 }, 'nothing'],
  ['failed', recorded('rejected', failed), {}, 'nothing'],
  ['version_mismatch', recorded('version_mismatch', failed), {}, 'nothing'],
  ['uploaded, to go again', recorded(null, { again: true }), {}, '3 upload'],
  ['failed, to go again', recorded('rejected', { ...failed, again: true }), {}, '3 upload'],
  ['to go again, but too large now', recorded(null, { again: true }), { maxBytes: 1 }, '3 skip too_large'],
  ['vanished', recorded('vanished'), {}, '3 upload'],
  ['vanished, too large now', recorded('vanished'), { maxBytes: 1 }, '3 skip too_large'],
  ['changed', recorded('changed'), {}, '3 upload'],
  ['changed twice in a row', recorded('changed', { changedInRow: 2 }), {}, '3 upload'],
  ['changed three times in a row', recorded('changed', { changedInRow: 3 }), {}, '3 fail version_mismatch'],
  ['the same, to go again', recorded('changed', { changedInRow: 3, again: true }), {}, '3 upload'],
  ['too large, and still', recorded('too_large'), { maxBytes: 99 }, 'nothing'],
  ['too large, and the limit is gone', recorded('too_large'), {}, '3 upload'],
  ['too large, and the limit is higher', recorded('too_large'), { maxBytes: 100 }, '3 upload'],
  [
    'too large, for the destination still',
    recorded('too_large'),
    { limits: { ...TAKES_ALL, maxBytes: 99 } },
    'nothing',
  ],
  ['too large, limits of the destination unknown here', recorded('too_large'), { limits: null }, 'nothing'],
  ['too large then, too small now', recorded('too_large'), { minBytes: 101 }, 'nothing'],
  ['empty, and still', recorded('empty'), { minBytes: 101 }, 'nothing'],
  ['empty, and taken now', recorded('empty'), { minBytes: 100 }, '3 upload'],
  [
    'of a type that is still not taken',
    recorded('type'),
    { limits: { ...TAKES_ALL, extensions: ['.txt'] } },
    'nothing',
  ],
  [
    'of a type that is taken now',
    recorded('type'),
    { limits: { ...TAKES_ALL, extensions: ['.txt', '.pdf'] } },
    '3 upload',
  ],
  ['existing, and still left alone', recorded('existing'), { existing: 'skip' }, 'nothing'],
  ['existing, and wanted now', recorded('existing'), {}, '3 upload'],
  ['existing, wanted now, but too large', recorded('existing'), { maxBytes: 1 }, '3 skip too_large'],
  ['unknown, older than the first start', null, { existing: 'skip', firstStartMs: 1_001 }, '0 skip existing'],
  [
    'unknown, older, too large as well',
    null,
    { existing: 'skip', firstStartMs: 1_001, maxBytes: 1 },
    '0 skip existing',
  ],
  ['unknown, from the first start on', null, { existing: 'skip', firstStartMs: 1_000 }, '0 upload'],
  ['vanished during the first pass', recorded('vanished'), { firstStartMs: 1_001 }, '3 upload'],
])('%s', (_what, known, rules, expected) => expect(ruled(known, rules)).toBe(expected));

test('nothing may stand for a file that somebody asked to be sent again', () => {
  expect(decide(seenFile('a'), recorded(null, { again: true }), NO_RULES)).toMatchObject({ asked: true });
  expect(decide(seenFile('a'), recorded('vanished'), NO_RULES)).toMatchObject({ asked: false });
});

test('a receipt says whose limit it was, with exact sizes', () => {
  const ruling = decide(seenFile('a', { size: 2_500 }), null, { ...NO_RULES, maxBytes: 1_000 });
  expect(ruling).toMatchObject({
    message: '2.5 kB (2500 bytes) is more than this source takes (1 kB (1000 bytes))',
  });
});
