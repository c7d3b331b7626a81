import { expect, test } from 'vitest';
import { parseYaml } from '../../../src/platform/files/yaml-document.ts';

const text = ['a: 1', 'b:', '  c:', '    - x', '    - y: 2', 'd: &same { q: 1 }', 'e: *same', ''].join('\n');

test('a document becomes plain data', () => {
  const { value, problems } = parseYaml(text);
  expect(value).toEqual({ a: 1, b: { c: ['x', { y: 2 }] }, d: { q: 1 }, e: { q: 1 } });
  expect(problems).toEqual([]);
});

test('every key and list item has its line', () => {
  const { lineOf } = parseYaml(text);
  expect(lineOf(['a'])).toBe(1);
  expect(lineOf(['b', 'c', 0])).toBe(4);
  expect(lineOf(['b', 'c', 1, 'y'])).toBe(5);
  expect(lineOf(['e'])).toBe(7);
});

test('a key that is missing has the line of its nearest parent', () => {
  const { lineOf } = parseYaml(text);
  expect(lineOf(['b', 'c', 9])).toBe(3);
  expect(lineOf(['b', 'nothing', 'below'])).toBe(2);
  expect(lineOf([])).toBe(1);
});

test('an empty text has no value, no problem and no line', () => {
  const document = parseYaml('');
  expect(document.value).toBeNull();
  expect(document.problems).toEqual([]);
  expect(document.lineOf(['a'])).toBeNull();
});

test('a key written twice is a problem with its place', () => {
  expect(parseYaml('a: 1\nb: 2\na: 3\n').problems).toEqual([
    { message: 'Map keys must be unique', line: 3, column: 1 },
  ]);
});

test('several mistakes are reported at once, each on one line', () => {
  const { value, problems } = parseYaml('a: [1\nb: "open\n');
  expect(value).toBeNull();
  expect(problems.length).toBeGreaterThan(1);
  for (const { message } of problems) expect(message).not.toContain('\n');
});

test('a tag that means nothing here is a problem', () => {
  expect(parseYaml('a: !secret x').problems).toEqual([expect.objectContaining({ line: 1 })]);
});

test('aliases that multiply a small text are refused instead of unfolded', () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level <= 8; level += 1) {
    bomb.push(
      `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    );
  }
  const { value, problems } = parseYaml(bomb.join('\n'));
  expect(value).toBeNull();
  expect(problems).toHaveLength(1);
});

test('a byte order mark is not part of the first key', () => {
  expect(parseYaml('\uFEFFa: 1').value).toEqual({ a: 1 });
});
