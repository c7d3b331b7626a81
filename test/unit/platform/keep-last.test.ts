import { expect, test } from 'vitest';
import { keepLast } from '../../../src/platform/keep-last.ts';

test('computes once what is asked in a row, and anew whatever differs in any argument', () => {
  const asked: string[] = [];
  const joined = keepLast((a: string, b: string) => {
    asked.push(a + b);
    return `${a}-${b}`;
  });
  expect([joined('a', 'b'), joined('a', 'b'), joined('a', 'c'), joined('x', 'c'), joined('a', 'b')]).toEqual([
    'a-b',
    'a-b',
    'a-c',
    'x-c',
    'a-b',
  ]);
  expect(asked).toEqual(['ab', 'ac', 'xc', 'ab']);
});

test('keeps nothing of what throws, and null and undefined like any other', () => {
  let times = 0;
  const maybe = keepLast((value: number | null) => {
    times += 1;
    if (value === 0) throw new Error('no');
    return value;
  });
  expect(() => maybe(0)).toThrow('no');
  expect(() => maybe(0)).toThrow('no');
  expect([maybe(null), maybe(null), maybe(1)]).toEqual([null, null, 1]);
  expect(() => maybe(0)).toThrow('no');
  expect(maybe(1)).toBe(1);
  expect(times).toBe(5);
});
