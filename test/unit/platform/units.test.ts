import { expect, test } from 'vitest';
import { z } from 'zod';
import { byteSize, duration } from '../../../src/platform/option-types.ts';
import {
  bytesText,
  durationText,
  formatBytes,
  formatDuration,
  parseBytes,
  parseDurationMs,
} from '../../../src/platform/units.ts';

test.each([
  ['500ms', 500],
  ['2s', 2000],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['24h', 86_400_000],
  ['7d', 604_800_000],
  [' 10 s ', 10_000],
  ['0s', 0],
  [250, 250],
])('%s is %i ms', (text, expected) => {
  expect(parseDurationMs(text)).toBe(expected);
});

test.each([
  ['5'],
  ['s'],
  ['-5s'],
  ['5 sec'],
  ['5S'],
  ['1m30s'],
  [''],
  [-1],
  [Number.NaN],
  [Number.POSITIVE_INFINITY],
])('%s is not a duration', (text) => {
  expect(parseDurationMs(text)).toBeNull();
});

test.each([
  ['10B', 10],
  ['2KB', 2000],
  ['64KiB', 65_536],
  ['512MB', 512_000_000],
  ['2GB', 2_000_000_000],
  ['1.5GiB', 1_610_612_736],
  ['1TB', 1e12],
  [1024, 1024],
])('%s is %i bytes', (text, expected) => {
  expect(parseBytes(text)).toBe(expected);
});

test.each([['5'], ['5mb'], ['5Mb'], ['5 M'], ['-1MB'], ['9999999TB'], [-1]])('%s is not a size', (text) => {
  expect(parseBytes(text)).toBeNull();
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [1536, '1.5 kB'],
  [999_949, '999.9 kB'],
  [999_950, '1 MB'],
  [512e6, '512 MB'],
  [1.25e9, '1.3 GB'],
])('%i bytes are shown as %s', (bytes, expected) => {
  expect(formatBytes(bytes)).toBe(expected);
});

test.each([
  [0, '0ms'],
  [250, '250ms'],
  [999.6, '1s'],
  [1500, '1.5s'],
  [30_000, '30s'],
  [59_960, '1m'],
  [125_000, '2m 5s'],
  [3_600_000, '1h'],
  [86_400_000, '24h'],
  [273_600_000, '3d 4h'],
])('%d ms are shown as %s', (ms, expected) => {
  expect(formatDuration(ms)).toBe(expected);
});

test('a duration option turns text into milliseconds and falls back to its default', () => {
  const schema = z.strictObject({ settle: duration('2s'), rescan: duration() });
  expect(schema.parse({ rescan: '5m' })).toEqual({ settle: 2000, rescan: 300_000 });
});

test('a duration option names the form it wants, also for a value of another type', () => {
  for (const value of ['5 minutes', true, null]) {
    const result = duration('2s').safeParse(value);
    expect(result.error?.issues).toMatchObject([
      { message: 'must be a duration such as 500ms, 2s, 5m, 24h or 7d' },
    ]);
  }
});

test('a duration that no timer can hold is refused unless its option allows it', () => {
  expect(duration().safeParse('60d').error?.issues).toMatchObject([{ message: 'must be at most 24d' }]);
  expect(duration(undefined, { maxMs: 90 * 86_400_000 }).parse('60d')).toBe(60 * 86_400_000);
  expect(duration(undefined, { minMs: 1000 }).safeParse('10ms').error?.issues).toMatchObject([
    { message: 'must be at least 1s' },
  ]);
});

test('a size option turns text into bytes and names the form it wants', () => {
  expect(byteSize('2GB').parse(undefined)).toBe(2e9);
  expect(byteSize().safeParse('2 gigs').error?.issues).toMatchObject([
    { message: 'must be a size such as 64KiB, 512MB or 2GB' },
  ]);
});

test('the published schema shows the text form with its default', () => {
  const schema = z.toJSONSchema(duration('2s').describe('How long.'), { io: 'input' });
  expect(schema).toMatchObject({
    default: '2s',
    description: 'How long.',
    anyOf: [{ type: 'string' }, { type: 'number' }],
  });
});

test.each([0, 1, 1500, 90_000, 3_600_000, 86_400_000, 90_061_001])(
  '%i ms as a text reads back as the same',
  (ms) => {
    expect(parseDurationMs(durationText(ms))).toBe(ms);
  },
);

test.each([0, 1, 1000, 1024, 65_536, 1_500_000, 2e9, 2 ** 31])(
  '%i bytes as a text read back as the same',
  (bytes) => {
    expect(parseBytes(bytesText(bytes))).toBe(bytes);
  },
);
