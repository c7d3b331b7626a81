import { expect, test } from 'vitest';
import { parseUpload } from '../../../src/gateway/body/read-json.ts';

const parsed = (value: unknown) => parseUpload(Buffer.from(JSON.stringify(value)));

test('what the document describes is taken', () => {
  const upload = { filename: '报告.pdf', fileContent: 'aGk=', purpose: 'batch', mimeType: 'application/pdf' };
  expect(parsed(upload)).toEqual(upload);
});

test.each([
  [{ fileContent: 'aGk=' }, '文件名不能为空'],
  [{ filename: '', fileContent: 'aGk=' }, '文件名不能为空'],
  [{ filename: 5, fileContent: 'aGk=' }, '文件名不能为空'],
  [{ filename: 'a', fileContent: '' }, '文件内容不能为空'],
  [{ filename: 'a' }, '文件内容不能为空'],
])('%j: %s', (value, message) => {
  expect(() => parsed(value)).toThrow(message);
});

test.each([['[]'], ['null'], ['"text"'], ['5'], ['{'], [''], ['\ufeff'], [Buffer.from([0x7b, 0xff, 0x7d])]])(
  '%j is no object',
  (text) => {
    expect(() => parseUpload(Buffer.from(text))).toThrow(
      expect.objectContaining({ status: 400, code: 'invalid_json' }),
    );
  },
);

test('nesting ends at eight levels, brackets within texts count for nothing', () => {
  const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  const upload = (more: string) => Buffer.from(`{"filename":"a[[[[[[[[[[","fileContent":"aGk=","x":${more}}`);
  expect(parseUpload(upload(nested(7))).filename).toBe('a[[[[[[[[[[');
  expect(() => parseUpload(upload(nested(8)))).toThrow(/nested deeper than 8/);
  expect(() => parseUpload(Buffer.from('['.repeat(5_000_000)))).toThrow(/nested deeper than 8/);
  expect(parseUpload(Buffer.from('{"filename":"\\"[[[[[[[[[\\\\","fileContent":"aGk="}')).filename).toBe(
    '"[[[[[[[[[\\',
  );
});
