import { expect, test } from 'vitest';
import { indentedJson } from '../../../src/cli/screen/json-text.ts';

test.each([
  {
    code: 0,
    data: { list: [1, 'x', null, true, { a: [] }], none: {} },
    text: 'a "quoted" \\ {brace}, [x]: y',
  },
  [],
  {},
  'text',
  3,
  [[[]], {}],
])('%j is indented as JavaScript and Python do', (value) => {
  expect(indentedJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
});

test('numbers keep every digit they came with', () => {
  expect(indentedJson('{"id":1234567890123456789,"rate":1.0,"small":-1e-7}')).toBe(
    '{\n  "id": 1234567890123456789,\n  "rate": 1.0,\n  "small": -1e-7\n}',
  );
});

test('characters are shown as they are, and what has to be escaped stays escaped', () => {
  expect(indentedJson('["\\u4f1a\\u8bae","\\n\\u0001\\"\\\\"]')).toBe(
    '[\n  "会议",\n  "\\n\\u0001\\"\\\\"\n]',
  );
});

test('white space between tokens does not matter, inside strings it does', () => {
  expect(indentedJson(' { "a" :\n[ 1 ,2 ], "b":"  x  " } ')).toBe(
    '{\n  "a": [\n    1,\n    2\n  ],\n  "b": "  x  "\n}',
  );
});

test('what is no JSON comes back as it is', () => {
  expect(indentedJson('<html>{"a":1}</html>')).toBe('<html>{"a":1}</html>');
});

test('what is cleaned is the meaning of a string, however it was escaped', () => {
  const clean = (text: string): string => text.replaceAll('secret', '[gone]');
  expect(indentedJson('{"s\\u0065cret":["a secret"]}', clean)).toBe(
    '{\n  "[gone]": [\n    "a [gone]"\n  ]\n}',
  );
  expect(indentedJson('no JSON with a secret', clean)).toBe('no JSON with a [gone]');
});
