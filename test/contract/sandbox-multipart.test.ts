import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Busboy } from '@fastify/busboy';
import { expect, test } from 'vitest';
import { MultipartParser } from '../../src/sandbox/form/multipart-parser.ts';
import { boundaryOf, type PartHead } from '../../src/sandbox/form/part-head.ts';
import { seededRandom } from '../../src/sandbox/trouble/seeded-random.ts';

const BOUNDARY = '----WebKitFormBoundary0123456789abcdef';

interface ParsedPart {
  readonly name: string;
  readonly filename: string | null;
  readonly sha256: string;
}

/** What our parser makes of a body that arrives in these pieces. */
function parsed(pieces: readonly Buffer[]): { parts: ParsedPart[]; problem: string | null } {
  const parts: ParsedPart[] = [];
  let head: PartHead | null = null;
  let hash = createHash('sha256');
  const parser = new MultipartParser(BOUNDARY, {
    begin(next) {
      head = next;
      hash = createHash('sha256');
    },
    data: (bytes) => void hash.update(bytes),
    end() {
      if (head !== null) parts.push({ name: head.name, filename: head.filename, sha256: hash.digest('hex') });
    },
  });
  for (const piece of pieces) parser.push(piece);
  parser.finish();
  return { parts, problem: parser.problem };
}

function bodyOf(contents: readonly Buffer[], end = '--\r\n'): Buffer {
  const parts = contents.flatMap((content, index) => [
    Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f${index}"; filename="f${index}.bin"\r\n\r\n`,
    ),
    content,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}${end}`)]);
}

/** Content made of pieces of the delimiter itself: what a search across chunk ends gets wrong first. */
function treacherous(random: () => number): Buffer {
  const delimiter = `\r\n--${BOUNDARY}`;
  const noise = (): Buffer =>
    Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)));
  const pieces = Array.from({ length: Math.floor(random() * 20) }, () => {
    const cut = Math.floor(random() * delimiter.length);
    return random() < 0.7 ? Buffer.from(delimiter.slice(0, cut)) : noise();
  });
  const content = Buffer.concat(pieces);
  // Noise may complete a delimiter by chance: that would be no content, but the end of it.
  return content.includes(delimiter) ? treacherous(random) : content;
}

test('every split of a body into two pieces gives the same parts', () => {
  const body = bodyOf([
    Buffer.from('\r\n--\r\n----WebKitFormBoundary\r'),
    Buffer.alloc(0),
    Buffer.from('plain'),
  ]);
  const whole = parsed([body]);
  expect(whole).toMatchObject({ problem: null, parts: [{ name: 'f0' }, { name: 'f1' }, { name: 'f2' }] });
  for (let cut = 0; cut <= body.length; cut += 1) {
    expect(parsed([body.subarray(0, cut), body.subarray(cut)])).toEqual(whole);
  }
});

test('on random bodies in random pieces it agrees with a parser that others wrote', async () => {
  const random = seededRandom(20_261_101);
  for (let round = 0; round < 300; round += 1) {
    const contents = Array.from({ length: 1 + Math.floor(random() * 4) }, () => treacherous(random));
    const body = bodyOf(contents);
    const pieces: Buffer[] = [];
    for (let at = 0; at < body.length; ) {
      const length = 1 + Math.floor(random() * 60);
      pieces.push(body.subarray(at, at + length));
      at += length;
    }
    const ours = parsed(pieces);
    expect(ours, `round ${round}`).toEqual({ problem: null, parts: await parsedByBusboy(pieces) });
    expect(ours.parts.map((part) => part.sha256)).toEqual(
      contents.map((content) => createHash('sha256').update(content).digest('hex')),
    );
  }
});

test('every body cut short is refused', () => {
  const body = bodyOf([Buffer.from('content')], '--');
  for (let length = 0; length < body.length; length += 1) {
    expect(parsed([body.subarray(0, length)]).problem, `${length} bytes`).not.toBeNull();
  }
  expect(parsed([body]).problem).toBeNull();
});

test.each([
  ['headers without end', `--${BOUNDARY}\r\nX: ${'y'.repeat(20_000)}`],
  ['a delimiter with a tail', `--${BOUNDARY}x\r\n`],
  ['a part without disposition', `--${BOUNDARY}\r\nContent-Type: a/b\r\n\r\nx\r\n--${BOUNDARY}--`],
  [
    'a folded header',
    `--${BOUNDARY}\r\nContent-Disposition: form-data;\r\n name="a"\r\n\r\nx\r\n--${BOUNDARY}--`,
  ],
  [
    'a name given twice',
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\nx\r\n--${BOUNDARY}--`,
  ],
  [
    'a NUL in the name',
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="a\0"\r\n\r\nx\r\n--${BOUNDARY}--`,
  ],
])('%s is refused', (_what, body) => {
  expect(parsed([Buffer.from(body)]).problem).not.toBeNull();
});

test('a name that is not UTF-8 is refused', () => {
  const body = Buffer.from(
    bodyOf([Buffer.from('x')])
      .toString('latin1')
      .replace('f0.bin', 'f\xff.bin'),
    'latin1',
  );
  expect(parsed([body]).problem).toContain('UTF-8');
});

test('the boundary is read from any correct Content-Type and from no other', () => {
  expect(boundaryOf('multipart/form-data; boundary=abc')).toBe('abc');
  expect(boundaryOf('Multipart/Form-Data;charset=utf-8; boundary="a b=c"')).toBe('a b=c');
  for (const wrong of [
    undefined,
    'multipart/form-data',
    'multipart/mixed; boundary=a',
    'multipart/form-data; boundary=',
    `multipart/form-data; boundary=${'a'.repeat(71)}`,
    'multipart/form-data; boundary=a; boundary=b',
  ]) {
    expect(boundaryOf(wrong), String(wrong)).toBeNull();
  }
});

async function parsedByBusboy(pieces: readonly Buffer[]): Promise<ParsedPart[]> {
  const parts: ParsedPart[] = [];
  const busboy = Busboy({ headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` } });
  busboy.on('file', (name, stream, filename) => {
    const hash = createHash('sha256');
    stream.on('data', (chunk: Buffer) => hash.update(chunk));
    stream.on('end', () => parts.push({ name, filename, sha256: hash.digest('hex') }));
  });
  for (const piece of pieces) busboy.write(piece);
  busboy.end();
  await once(busboy, 'finish');
  return parts;
}

test('a file name may hold the line separators of Unicode', () => {
  const name = `a${String.fromCharCode(0x2028)}b${String.fromCharCode(0x2029)}.txt`;
  const body = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="${name}"\r\n\r\nx\r\n--${BOUNDARY}--\r\n`;
  const { parts, problem } = parsed([Buffer.from(body)]);
  expect([problem, parts.map(({ filename }) => filename)]).toEqual([null, [name]]);
});
