import { expect, test } from 'vitest';
import { atPointer, formatPointer, parsePointer } from '../../../src/platform/files/json-pointer.ts';

// The document and the pointers of RFC 6901, section 5.
const document = {
  foo: ['bar', 'baz'],
  '': 0,
  'a/b': 1,
  'c%d': 2,
  'e^f': 3,
  'i\\j': 5,
  'k"l': 6,
  ' ': 7,
  'm~n': 8,
};

test.each([
  ['', document],
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/c%d', 2],
  ['/e^f', 3],
  ['/i\\j', 5],
  ['/k"l', 6],
  ['/ ', 7],
  ['/m~0n', 8],
])('the pointer %j of RFC 6901 finds its value', (text, value) => {
  expect(atPointer(document, parsePointer(text) ?? ['?'])).toEqual(value);
});

test.each(['', '/foo/0', '/', '/a~1b', '/m~0n', '/a~01'])('%j is written as it was read', (text) => {
  expect(formatPointer(parsePointer(text) ?? ['?'])).toBe(text);
});

test('~01 is a tilde and a one, not a slash', () => {
  expect(parsePointer('/a~01')).toEqual(['a~1']);
});

test.each(['foo', '/a~', '/a~2b', '#/foo'])('%j is not a JSON Pointer', (text) => {
  expect(parsePointer(text)).toBeNull();
});

test.each([
  '/foo/2',
  '/foo/-',
  '/foo/01',
  '/foo/length',
  '/foo/0/length',
  '/nothing/below',
  '/constructor',
  '/__proto__',
])('%s finds nothing', (text) => {
  expect(atPointer(document, parsePointer(text) ?? [])).toBeUndefined();
});
