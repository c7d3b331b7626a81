import { expect, test } from 'vitest';
import { partContentType } from '../../../src/upload/attempt/upload-task.ts';
import { type MultipartParts, multipartFrame, newBoundary } from '../../../src/upload/body/multipart-body.ts';
import { readMultipart } from '../../support/multipart-reader.ts';

function frameOf(parts: Partial<MultipartParts>) {
  const whole = {
    fields: [],
    fileField: 'files',
    fileName: Buffer.from('a.txt'),
    contentType: 'text/plain',
    ...parts,
  };
  return multipartFrame(whole, 'edge');
}

function bodyOf(parts: Partial<MultipartParts>, content = 'x'): Buffer {
  const { head, tail } = frameOf(parts);
  return Buffer.concat([head, Buffer.from(content), tail]);
}

test('the body is exactly what RFC 7578 and the AutoGLM script put on the wire', () => {
  expect(bodyOf({}, 'hello').toString()).toBe(
    '--edge\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n' +
      'Content-Type: text/plain\r\n\r\nhello\r\n--edge--\r\n',
  );
  expect(frameOf({}).contentType).toBe('multipart/form-data; boundary=edge');
});

test('text fields come before the file, in the order given', () => {
  const body = bodyOf({
    fields: [
      ['purpose', 'file-extract'],
      ['expires_after[anchor]', 'created_at'],
      ['说明', '中文 ✓'],
    ],
  });
  const parts = readMultipart(body, 'multipart/form-data; boundary=edge');
  expect(parts.map(({ head }) => Buffer.from(head, 'latin1').toString().split('\r\n')[0])).toEqual([
    'Content-Disposition: form-data; name="purpose"',
    'Content-Disposition: form-data; name="expires_after[anchor]"',
    'Content-Disposition: form-data; name="说明"',
    'Content-Disposition: form-data; name="files"; filename="a.txt"',
  ]);
  expect(parts.map(({ content }) => content.toString())).toEqual([
    'file-extract',
    'created_at',
    '中文 ✓',
    'x',
  ]);
});

test.each([
  ['a quote', Buffer.from('say "hi".txt'), 'say %22hi%22.txt'],
  ['CR and LF', Buffer.from('a\r\nX-Evil: 1.txt'), 'a%0D%0AX-Evil: 1.txt'],
  ['a lone LF', Buffer.from('a\nb'), 'a%0Ab'],
  ['a percent sign', Buffer.from('100%22.txt'), '100%22.txt'],
  ['a backslash', Buffer.from('a\\"b'), 'a\\%22b'],
  ['CJK and emoji', Buffer.from('第一课🙂.mp4'), '第一课🙂.mp4'],
])('the file name is escaped as browsers do: %s', (_, fileName, escaped) => {
  expect(bodyOf({ fileName }).toString()).toContain(`; filename="${escaped}"\r\n`);
});

test('bytes of a name that are not UTF-8 are sent as they are', () => {
  const fileName = Buffer.from([0x61, 0xff, 0xfe, 0x22, 0x80, 0x2e, 0x74]);
  const expected = Buffer.concat([
    Buffer.from('filename="a'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('%22'),
    Buffer.from([0x80]),
    Buffer.from('.t"\r\n'),
  ]);
  expect(bodyOf({ fileName }).includes(expected)).toBe(true);
});

test('the name of a field cannot break out of its quotes', () => {
  const body = bodyOf({ fields: [['a"\r\nX: 1', 'v']], fileField: 'f"' }).toString();
  expect(body).toContain('name="a%22%0D%0AX: 1"\r\n\r\nv');
  expect(body).toContain('name="f%22"; filename=');
});

test('every boundary is new, and short and plain enough for any parser', () => {
  const boundaries = new Set(Array.from({ length: 1000 }, newBoundary));
  expect(boundaries.size).toBe(1000);
  for (const boundary of boundaries) expect(boundary).toMatch(/^[A-Za-z0-9-]{1,70}$/);
});

test.each([
  ['a.PDF', 'application/pdf'],
  ['a.tar.gz', 'application/gzip'],
  ['data.csv', 'text/csv'],
  ['photo.webp', 'image/webp'],
  ['notes.md', 'text/markdown'],
  ['json', 'application/octet-stream'],
  ['.png', 'application/octet-stream'],
  ['a.unknownext', 'application/octet-stream'],
  ['trailing.', 'application/octet-stream'],
])('the content type of %s is %s', (name, expected) => {
  expect(partContentType(name)).toBe(expected);
});
