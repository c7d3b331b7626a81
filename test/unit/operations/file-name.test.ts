import { expect, test } from 'vitest';
import { safeFileName } from '../../../src/operations/receive/file-name.ts';

test.each([
  ['a.txt', 'a.txt'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\me\\报告.pdf', '报告.pdf'],
  ['mixed\\and/then.txt', 'then.txt'],
  ['会议 记录 "final" (1).txt', '会议 记录 "final" (1).txt'],
  ['a\u0000b\r\n\u007fc.txt', 'abc.txt'],
  ['photo\u202egpj.exe', 'photogpj.exe'],
  ['\u2066x\u2069.txt', 'x.txt'],
  ['trailing. . ', 'trailing'],
  ['...', 'file'],
  ['..', 'file'],
  ['', 'file'],
  ['/', 'file'],
  ['folder/', 'file'],
  ['\u0001\u202e', 'file'],
  ['CON', '_CON'],
  ['nul.txt', '_nul.txt'],
  ['COM1.tar.gz', '_COM1.tar.gz'],
  ['lpt9 .txt', '_lpt9 .txt'],
  ['console.txt', 'console.txt'],
  ['.bashrc', '.bashrc'],
  ['\ud800broken.txt', '\ufffdbroken.txt'],
])('%j is kept as %j', (said, kept) => {
  expect(safeFileName(said)).toBe(kept);
});

test('a name is cut between characters to 255 bytes, its extension kept', () => {
  const chinese = safeFileName(`${'报'.repeat(200)}.pdf`);
  expect(Buffer.byteLength(chinese)).toBeLessThanOrEqual(255);
  expect(chinese).toBe(`${'报'.repeat(83)}.pdf`);
  expect(safeFileName(`${'😀'.repeat(100)}.txt`)).toBe(`${'😀'.repeat(62)}.txt`);
  expect(Buffer.byteLength(safeFileName('a'.repeat(1_000)))).toBe(255);
  const sentence = safeFileName(`note.${'long '.repeat(100)}`);
  expect(Buffer.byteLength(sentence)).toBeLessThanOrEqual(255);
  expect(sentence).not.toMatch(/ $/);
});
