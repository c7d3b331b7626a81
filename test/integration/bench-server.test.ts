import { afterAll, beforeAll, expect, test } from 'vitest';
import { uploadHeaders } from '../../scripts/bench/autoglm-api.ts';
import { FormCheck } from '../../scripts/bench/form-check.ts';
import { type ServerProcess, startServer } from '../../scripts/bench/server-process.ts';

let server: ServerProcess;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const BODY =
  '--b1\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhello\r\n--b1--\r\n';

/** The `code` of the answer to one upload. */
async function codeOf(body: string, changed: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const headers = { ...uploadHeaders(), 'content-type': 'multipart/form-data; boundary=b1', ...changed };
  const answer = await fetch(server.uploadUrl, { method: 'POST', headers, body });
  return ((await answer.json()) as { code: unknown }).code;
}

test('the server of the benchmark takes a proper upload and counts it', async () => {
  await server.reset();
  expect(await codeOf(BODY)).toBe(0);
  expect(await codeOf(BODY.slice(0, -2))).toBe(0);
  const stats = await server.stats();
  expect(stats).toMatchObject({ uploads: 2, refused: 0, problem: null });
  expect(stats.lastAtMs).toBeGreaterThanOrEqual(stats.firstAtMs);
});

test('it refuses what the real service would: token, signature, time, field, boundary', async () => {
  await server.reset();
  const old = String(Math.floor(Date.now() / 1000) - 3_600);
  expect(await codeOf(BODY, { Authorization: 'Bearer other' })).toBe(400003);
  expect(await codeOf(BODY, { 'X-Auth-Sign': '0'.repeat(32) })).toBe(400003);
  expect(await codeOf(BODY, { 'X-Auth-TimeStamp': old })).toBe(400003);
  expect(await codeOf(BODY.replace('"files"', '"file"'))).toBe(400003);
  expect(await codeOf(BODY.replace('--b1--', '--b2--'))).toBe(400003);
  expect(await codeOf(BODY.replace('--b1\r', '--b2\r'))).toBe(400003);
  expect(await server.stats()).toMatchObject({ uploads: 0, refused: 6 });
});

test('a body is checked alike wherever the network cuts it', () => {
  const body = Buffer.from(BODY);
  for (let cut = 0; cut <= body.length; cut += 1) {
    const check = new FormCheck('b1');
    check.push(body.subarray(0, cut));
    check.push(body.subarray(cut));
    expect(check.finish()).toEqual({ filename: 'a.txt' });
  }
  const byByte = new FormCheck('b1');
  for (const byte of body.subarray(0, -3)) byByte.push(Buffer.of(byte));
  expect(byByte.finish()).toEqual({ problem: 'the closing boundary is missing' });
});

test('it refuses a body without a length', async () => {
  await server.reset();
  const body = new Blob([BODY]).stream();
  const answer = await fetch(server.uploadUrl, {
    method: 'POST',
    headers: uploadHeaders(),
    body,
    duplex: 'half',
  });
  expect(answer.status).toBe(411);
  expect(await server.stats()).toMatchObject({ uploads: 0, refused: 1 });
});
