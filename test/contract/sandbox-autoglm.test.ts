import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { autoglmSign } from '../../src/sandbox/apis/autoglm-api.ts';
import { scriptSign } from '../support/original-script.ts';
import { rawRequest } from '../support/raw-http.ts';
import { sandboxForTest, uploadText } from '../support/sandbox.ts';

const replaced = (name: string, line: string | null) => (lines: string[]) =>
  lines.flatMap((each) => (each.startsWith(`${name}:`) ? (line === null ? [] : [line]) : [each]));
const rewritten = (from: string, to: string) => (body: Buffer) =>
  Buffer.from(body.toString('latin1').replaceAll(from, to), 'latin1');

test('the signature of known timestamps is the known one', () => {
  expect(autoglmSign('1700000000')).toBe('2586ea4cc4191242c9acdc2ee7e96ac8');
  expect(autoglmSign('1773199477')).toBe('8ea317391f073243638dcd5c019ab927');
});

test('a request in the byte form of the original script is taken and answered as documented', async () => {
  const sandbox = await sandboxForTest();
  const content = randomBytes(4096);
  const { status, headers, body } = await uploadText(sandbox, {
    filename: '第一课 (1).pdf',
    content,
    contentType: 'application/pdf',
  });

  expect(status).toBe(200);
  expect(headers['content-length']).toBe(String(Buffer.byteLength(body)));
  expect(Math.abs(Date.parse(headers.date ?? '') - Date.now())).toBeLessThan(10_000);
  expect(body).toContain('第一课 (1).pdf"');
  const answer = JSON.parse(body);
  const [info] = answer.data.oss_info;
  expect(answer).toMatchObject({ code: 0, msg: 'SUCCESS', time: expect.any(Number), data: { message: '' } });
  expect(answer.trace).toMatch(/^[0-9a-f]{32}$/);
  expect(info.oss_name).toMatch(/^auto_fly\/[0-9a-f-]{36}\/第一课 \(1\)\.pdf$/);
  expect(info).toEqual({
    filename: '第一课 (1).pdf',
    oss_name: info.oss_name,
    oss_url: `https://autoglm-agent.aminer.cn/${info.oss_name}`,
  });

  expect(sandbox.received()).toEqual([
    expect.objectContaining({
      api: 'autoglm',
      field: 'files',
      filename: '第一课 (1).pdf',
      contentType: 'application/pdf',
      bytes: 4096,
      sha256: createHash('sha256').update(content).digest('hex'),
      id: info.oss_name,
      url: info.oss_url,
      attempt: 1,
    }),
  ]);
});

test('an empty file and one of several MiB arrive with their own hashes', async () => {
  const sandbox = await sandboxForTest();
  const large = randomBytes(5 * 1024 * 1024);
  for (const content of [Buffer.alloc(0), large]) await uploadText(sandbox, { content });
  const hashes = [Buffer.alloc(0), large].map((content) =>
    createHash('sha256').update(content).digest('hex'),
  );
  expect(sandbox.received().map((file) => file.sha256)).toEqual(hashes);
});

test.each([
  ['no token', replaced('Authorization', null), 400000],
  ['a token of someone else', replaced('Authorization', 'Authorization: Bearer a.b.c'), 400000],
  [
    'a token without its scheme',
    (lines: string[]) => lines.map((line) => line.replace('Bearer ', '')),
    400000,
  ],
  ['another appid', replaced('X-Auth-Appid', 'X-Auth-Appid: 100004'), 400002],
  ['no timestamp', replaced('X-Auth-Timestamp', null), 400002],
  ['a timestamp in milliseconds', replaced('X-Auth-Timestamp', `X-Auth-Timestamp: ${Date.now()}`), 400002],
  ['a wrong sign', replaced('X-Auth-Sign', `X-Auth-Sign: ${'0'.repeat(32)}`), 400002],
  [
    'an upper-case sign',
    (lines: string[]) =>
      lines.map((line) => line.replace(/(?<=X-Auth-Sign: ).*/, (sign) => sign.toUpperCase())),
    400002,
  ],
  [
    'a body that is not multipart',
    replaced('Content-Type', 'Content-Type: application/octet-stream'),
    400001,
  ],
])('%s is refused inside an HTTP 200', async (_what, headers, code) => {
  const sandbox = await sandboxForTest();
  const { status, body } = await uploadText(sandbox, { headers });
  expect({ status, code: JSON.parse(body).code }).toEqual({ status: 200, code });
  expect(sandbox.received()).toEqual([]);
  expect(Object.keys(sandbox.summary().refused)[0]).toContain(String(code));
});

test.each([-301, 301])('a timestamp %i s off is refused although its sign is right', async (offset) => {
  const sandbox = await sandboxForTest({ now: () => 1_773_199_477_000 });
  const timestamp = 1_773_199_477 + offset;
  const { body, headers } = await uploadText(sandbox, { timestamp });
  expect(JSON.parse(body).code).toBe(400002);
  expect(headers.date).toBe(new Date(1_773_199_477_000).toUTCString());
  expect(
    JSON.parse((await uploadText(sandbox, { timestamp: 1_773_199_477 + offset - Math.sign(offset) })).body)
      .code,
  ).toBe(0);
});

test.each([
  ['another field name', rewritten('name="files"', 'name="file"'), 400003],
  ['no file name', rewritten('; filename="note.txt"', ''), 400003],
  ['an empty file name', rewritten('note.txt', ''), 400003],
  ['a path as file name', rewritten('note.txt', 'a/note.txt'), 400003],
  ['a missing end', (body: Buffer) => body.subarray(0, body.length - 4), 400001],
  ['an unescaped quote in the name', rewritten('note.txt', 'no"te.txt'), 400001],
  ['a part that is not form-data', rewritten('form-data;', 'attachment;'), 400001],
  ['filename*', rewritten('; filename=', "; filename*=UTF-8''x; filename="), 400001],
  ['a preamble', (body: Buffer) => Buffer.concat([Buffer.from('hello\r\n'), body]), 400001],
  ['bytes after the end', (body: Buffer) => Buffer.concat([body, Buffer.from('more')]), 400001],
  ['line feeds alone between the headers', rewritten('"note.txt"\r\n', '"note.txt"\n'), 400001],
  ['an empty body', () => Buffer.alloc(0), 400001],
])('%s is refused', async (_what, body, code) => {
  const sandbox = await sandboxForTest();
  expect(JSON.parse((await uploadText(sandbox, { body })).body)).toMatchObject({
    code,
    data: { message: expect.any(String) },
  });
  expect(sandbox.summary().count).toBe(0);
});

test('a second part is refused, be it a file or a field', async () => {
  const sandbox = await sandboxForTest();
  const withPart = (disposition: string) => (body: Buffer) => {
    const boundary = body.toString('latin1').split('\r\n', 1)[0] ?? '';
    const extra = `${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\nx\r\n`;
    return Buffer.concat([Buffer.from(extra), body]);
  };
  for (const disposition of ['name="purpose"', 'name="files"; filename="b.txt"']) {
    expect(JSON.parse((await uploadText(sandbox, { body: withPart(disposition) })).body).code).toBe(400003);
  }
  expect(sandbox.received()).toEqual([]);
});

test('names in the form browsers send arrive as sent', async () => {
  const sandbox = await sandboxForTest();
  const names = [
    'say %22hi%22.txt',
    'line%0D%0Abreak',
    'back\\slash\\',
    '%25 100%',
    '🙂 表格.xlsx',
    `${'x'.repeat(251)}.txt`,
  ];
  for (const filename of names) await uploadText(sandbox, { filename });
  expect(sandbox.received().map((file) => file.filename)).toEqual(names);
});

test('a chunked body is refused with 411 and stores nothing', async () => {
  const sandbox = await sandboxForTest();
  const { autoglmUrl } = sandbox;
  const timestamp = Math.floor(Date.now() / 1_000);
  const head = [
    `POST ${new URL(autoglmUrl).pathname} HTTP/1.1`,
    'Host: sandbox',
    'Transfer-Encoding: chunked',
    'Content-Type: multipart/form-data; boundary=b',
    `X-Auth-TimeStamp: ${timestamp}`,
    `X-Auth-Sign: ${scriptSign(timestamp)}`,
    'Connection: close',
  ].join('\r\n');
  const answer = await rawRequest(autoglmUrl, [`${head}\r\n\r\n`, '5\r\n--b--\r\n', '0\r\n\r\n']);
  expect(answer.status).toBe(411);
  expect(sandbox.summary()).toMatchObject({ count: 0, refused: { 'autoglm 411': 1 } });
});

test('another method is 405, another path 404', async () => {
  const sandbox = await sandboxForTest();
  const wrongMethod = await fetch(sandbox.autoglmUrl);
  expect({ status: wrongMethod.status, allow: wrongMethod.headers.get('allow') }).toEqual({
    status: 405,
    allow: 'POST',
  });
  expect((await fetch(`${sandbox.autoglmUrl}/`, { method: 'POST', body: 'x' })).status).toBe(404);
});

test('a client that breaks off in mid-body leaves nothing behind and the next one is served', async () => {
  const sandbox = await sandboxForTest();
  const aborted = new AbortController();
  const request = {
    method: 'POST',
    body: stalledBody(aborted.signal),
    duplex: 'half',
    signal: aborted.signal,
  };
  const pending = fetch(sandbox.autoglmUrl, request as RequestInit);
  await expect.poll(() => sandbox.summary().uploadsInFlight).toBe(1);
  aborted.abort();
  await expect(pending).rejects.toThrow();
  await expect.poll(() => sandbox.summary()).toMatchObject({ brokenOff: 1, uploadsInFlight: 0, count: 0 });
  expect(JSON.parse((await uploadText(sandbox)).body).code).toBe(0);
});

function stalledBody(signal: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('--b\r\n'));
      signal.addEventListener('abort', () => controller.error(new Error('broken off')), { once: true });
    },
  });
}
