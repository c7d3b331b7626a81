import { expect, test } from 'vitest';
import { sentName } from '../../../src/destinations/definition/sent-name.ts';
import { partContentType } from '../../../src/upload/attempt/upload-task.ts';
import { type MultipartParts, multipartFrame, newBoundary } from '../../../src/upload/body/multipart-body.ts';
import { readMultipart } from '../../support/multipart-reader.ts';

function frameOf(parts: Partial<MultipartParts>) {
  const whole = {
    fields: [],
    fileField: 'files',
    fileName: 'a.txt',
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

test.each<[string, string, string]>([
  ['a quote', 'say "hi".txt', 'say %22hi%22.txt'],
  ['CR and LF', 'a\r\nX-Evil: 1.txt', 'a%0D%0AX-Evil: 1.txt'],
  ['a lone LF', 'a\nb', 'a%0Ab'],
  ['a percent sign', '100%22.txt', '100%22.txt'],
  ['a backslash', 'a\\"b', 'a\\%22b'],
  ['CJK and emoji', '第一课🙂.mp4', '第一课🙂.mp4'],
])('as it is, a name is escaped as browsers do: %s', (_, name, escaped) => {
  const { quoted, extended, bare, read } = sentName(name, 'as-is');
  expect({ extended, bare, read }).toEqual({ extended: null, bare: name, read: escaped });
  expect(bodyOf({ fileName: quoted, extendedName: extended }).toString()).toContain(
    `; filename="${escaped}"\r\n`,
  );
});

test.each<[string, string, string]>([
  ['plain', 'report (final) v2;1=a.pdf', 'report (final) v2;1=a.pdf'],
  ['accents', 'Café Zürich ŒÆ.txt', 'Cafe Zurich __.txt'],
  ['accents as marks of their own', 'Cafe\u0301.txt', 'Cafe.txt'],
  ['other scripts', '第一课🙂.mp4', '____.mp4'],
  ['quotes and a backslash at the end', 'say "hi"\\', 'say _hi__'],
  ['control characters', 'a\tb\u0001c\r\nd\u007f', 'a_b_c__d_'],
  ['what looks like a slash', 'a／b⁄c＼d.txt', 'a_b_c_d.txt'],
  ['what looks like two dots', '．．', '__'],
  ['dots alone', '..', '_'],
  ['full width', 'ＡＢ１.txt', 'AB1.txt'],
  ['only marks', '\u0301', '_'],
])('without what parsers stumble over: %s', (_, name, ascii) => {
  expect(sentName(name, 'ascii')).toEqual({ quoted: ascii, extended: null, bare: ascii, read: ascii });
  expect(Buffer.byteLength(ascii)).toBeLessThanOrEqual(Buffer.byteLength(name));
});

test.each<[string, string, string | null]>([
  ['a plain name needs nothing', 'a b.txt', null],
  ['other scripts', '课 1.txt', "UTF-8''%E8%AF%BE%201.txt"],
  ['what encodeURIComponent leaves alone', `é'(1)*!~.txt`, "UTF-8''%C3%A9%27%281%29%2A!~.txt"],
  ['a backslash at the end', 'a\\', "UTF-8''a%5C"],
  ['a surrogate that stands alone', 'a\ud800', "UTF-8''a%EF%BF%BD"],
])('the whole name beside the plain one: %s', (_, name, extended) => {
  const sent = sentName(name, 'extended');
  expect(sent).toMatchObject({ extended, bare: name, read: name });
  const disposition = bodyOf({ fileName: sent.quoted, extendedName: sent.extended })
    .toString()
    .split('\r\n')[1];
  expect(disposition?.endsWith(extended === null ? `; filename="${name}"` : `; filename*=${extended}`)).toBe(
    true,
  );
  expect(disposition).toMatch(/^[\x20-\x7e]*; filename="[^"\\]*"/);
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
