import { expect, test } from 'vitest';
import { compileGlobs } from '../../../src/platform/files/glob.ts';

test.each([
  ['**/*', 'a'],
  ['**/*', '.git/config'],
  ['**/*', 'a\nb/c\n.txt'],
  ['**', '日本/語'],
  ['**/*.txt', '.txt'],
  ['**/*.txt', 'a/.hidden/b.txt'],
  ['**/*.txt', 'line\nbreak/\r\n.txt'],
  ['**/*.tmp', 'x\u2028/b.tmp'],
  ['**/~$*', 'q/~$report.docx'],
  ['*.{jpg,PNG}', 'x.PNG'],
  ['a?b', 'a\nb'],
  ['a(1).txt', 'a(1).txt'],
  ['*', 'back\\slash'],
  ['日本/**', '日本/語.txt'],
  ['./inbox/*', 'inbox/a'],
  ['drafts/', 'drafts/deep/a'],
  ['**/@eaDir/**', 'q/@eaDir/x'],
  ['!keep', '!keep'],
  ['[', '['],
])('%j matches %j', (pattern, path) => {
  expect(compileGlobs([pattern])(path)).toBe(true);
});

test.each([
  ['*.txt', 'a/b.txt'],
  ['**/*.jpg', 'x.JPG'],
  ['drafts/', 'drafts2/a'],
  ['!keep', 'other'],
  ['a*b', 'a/b'],
  ['*.txt', 'atxt'],
])('%j does not match %j', (pattern, path) => {
  expect(compileGlobs([pattern])(path)).toBe(false);
});

test('any of several patterns is enough, and no pattern matches nothing', () => {
  const matches = compileGlobs(['*.pdf', 'a/**']);
  expect(['x.pdf', 'a/b/c', 'x.txt'].map((path) => matches(path))).toEqual([true, true, false]);
  expect(compileGlobs([])('x')).toBe(false);
});
