import { expect, test } from 'vitest';
import { parseAnswer } from '../../../src/destinations/answer/answer-body.ts';

test.each([
  ['alone', '1234567890123456789', '1234567890123456789'],
  ['below zero', '-1234567890123456789', '-1234567890123456789'],
  ['as a value', '{"id":1234567890123456789}', { id: '1234567890123456789' }],
  ['after white space', '{"id":\n\t 1234567890123456789 }', { id: '1234567890123456789' }],
  [
    'in a list',
    '[1234567890123456789,-1234567890123456789, 12345678901234567]',
    ['1234567890123456789', '-1234567890123456789', '12345678901234567'],
  ],
  [
    'beside texts full of digits',
    '{"key":"1234567890123456789","id":9007199254740993}',
    { key: '1234567890123456789', id: '9007199254740993' },
  ],
])('an integer that a number cannot hold stays exact: %s', (_, text, value) => {
  expect(parseAnswer(text)).toEqual(value);
});

test.each([
  ['digits within a text', '{"url":"https://a/b, 1234567890123456789:1234567890123456789"}'],
  [
    'what a number holds',
    '[9007199254740991,-9007199254740991,1e20,0.12345678901234567,12345678901234567.5]',
  ],
])('anything else is what JSON says: %s', (_, text) => {
  expect(parseAnswer(text)).toEqual(JSON.parse(text));
});

test('what is no JSON says nothing, and a byte order mark is none', () => {
  expect(parseAnswer('<html>')).toBeUndefined();
  expect(parseAnswer('')).toBeUndefined();
  expect(parseAnswer('{"id":12345678901234567')).toBeUndefined();
  expect(parseAnswer('\uFEFF{"id":1234567890123456789}')).toEqual({ id: '1234567890123456789' });
});
