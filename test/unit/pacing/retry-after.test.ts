import { expect, test } from 'vitest';
import { parseRetryAfter } from '../../../src/pacing/retry-after.ts';

const nowMs = Date.parse('2026-11-22T10:00:00Z');

test.each([
  [{ 'retry-after': '3' }, 3000],
  [{ 'retry-after': ' 0 ' }, 0],
  [{ 'retry-after': '1.5' }, 1500],
  [{ 'retry-after-ms': '250' }, 250],
  [{ 'retry-after-ms': '250.4', 'retry-after': '3' }, 251],
  [{ 'retry-after-ms': 'soon', 'retry-after': '3' }, 3000],
  [{ 'retry-after': '86400' }, 86_400_000],
])('%o asks for %i ms', (headers, expected) => {
  expect(parseRetryAfter(headers, nowMs)).toBe(expected);
});

test.each([
  ['Sun, 22 Nov 2026 10:00:30 GMT'],
  ['Sunday, 22-Nov-26 10:00:30 GMT'],
  ['Sun Nov 22 10:00:30 2026'],
])('the HTTP date %s is thirty seconds from now', (date) => {
  expect(parseRetryAfter({ 'retry-after': date }, nowMs)).toBe(30_000);
});

test('a date is read against the clock of the far side where it tells the time', () => {
  const headers = { 'retry-after': 'Sun, 22 Nov 2026 10:05:30 GMT', date: 'Sun, 22 Nov 2026 10:05:00 GMT' };
  expect(parseRetryAfter(headers, nowMs)).toBe(30_000);
});

test('a date in the past asks for no wait', () => {
  expect(parseRetryAfter({ 'retry-after': 'Sun, 22 Nov 2026 09:00:00 GMT' }, nowMs)).toBe(0);
});

test.each([
  [{}],
  [{ 'retry-after': '' }],
  [{ 'retry-after': undefined }],
  [{ 'retry-after': '-5' }],
  [{ 'retry-after': '1e3' }],
  [{ 'retry-after': '5 minutes' }],
  [{ 'retry-after': '2026-11-22T10:00:30Z' }],
  [{ 'retry-after': 'Sun, 99 Nov 2026 10:00:30 GMT' }],
  [{ 'retry-after': '9'.repeat(400) }],
])('%o says nothing', (headers) => {
  expect(parseRetryAfter(headers, nowMs)).toBeNull();
});
