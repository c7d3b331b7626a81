import { expect, test } from 'vitest';
import { parseDisposition } from '../../../src/gateway/body/disposition.ts';

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

test.each([
  ['form-data; name="file"; filename="a.txt"', 'file', 'a.txt'],
  ['form-data; name=file; filename=a.txt', 'file', 'a.txt'],
  ['FORM-DATA; NAME="file"; FileName="a.txt"', 'file', 'a.txt'],
  ['form-data; name="file"; filename="报告.pdf"', 'file', '报告.pdf'],
  ['form-data; name="file"; filename="a \\"b\\".txt"', 'file', 'a "b".txt'],
  ['form-data; name="file"; filename="a %22b%22.txt"', 'file', 'a "b".txt'],
  ['form-data; name="file"; filename="C:\\dir\\a.txt"', 'file', 'C:\\dir\\a.txt'],
  ['form-data; name="file"; filename="semi;colon.txt"', 'file', 'semi;colon.txt'],
  ['form-data; name="file"; filename*=UTF-8\'\'%E6%8A%A5.pdf', 'file', '报.pdf'],
  ['form-data; name="file"; filename*=utf-8\'\'%E6%8A%A5.pdf; filename="plain.pdf"', 'file', 'plain.pdf'],
  ['form-data; name="file"; filename=""', 'file', ''],
  ['form-data; name="purpose"', 'purpose', null],
  ['form-data; filename="a.txt"', null, 'a.txt'],
])('%s', (value, name, filename) => {
  expect(parseDisposition(latin1(value))).toEqual({ name, filename });
});

test('what is no form-data is none', () => {
  expect(parseDisposition('attachment; name="file"')).toBeNull();
  expect(parseDisposition('')).toBeNull();
});
