import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Upload } from 'tus-js-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { gatewayFolder, gatewayForTest, sandboxDestinations, type TestGateway } from '../support/gateway.ts';
import { startTestRedis, type TestRedis } from '../support/redis-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';

let redis: TestRedis;
let prefixes = 0;

beforeAll(async () => {
  redis = await startTestRedis();
});

afterAll(async () => {
  await redis.close();
});

async function configOf(more: Record<string, unknown> = {}) {
  const sandbox = await sandboxForTest();
  prefixes += 1;
  return {
    redis: { url: redis.socketPath, prefix: `tus-${prefixes}` },
    destinations: { agent: sandboxDestinations(sandbox).agent },
    ...more,
  };
}

const TUS = { 'tus-resumable': '1.0.0' };

function metadata(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');
}

async function create(door: TestGateway, bytes: number, headers: Record<string, string> = {}) {
  const upload = metadata({ filename: '会议.txt', purpose: 'file-extract' });
  return await fetch(`${door.url}/tus`, {
    method: 'POST',
    headers: { ...TUS, 'upload-length': String(bytes), 'upload-metadata': upload, ...headers },
  });
}

async function patch(url: string, offset: number, body: Buffer, headers: Record<string, string> = {}) {
  return await fetch(url, {
    method: 'PATCH',
    headers: {
      ...TUS,
      'upload-offset': String(offset),
      'content-type': 'application/offset+octet-stream',
      ...headers,
    },
    body: new Uint8Array(body),
  });
}

async function ended(door: TestGateway, path: string | null) {
  return await vi.waitFor(async () => {
    const file = (await (await fetch(`${door.url}${path}`)).json()) as Record<string, unknown>;
    expect(file).toMatchObject({ status: 'processed' });
    return file;
  });
}

test('pieces become a file in the queue, which the last answer names; it is there once', async () => {
  const door = await gatewayForTest(await configOf());
  const content = randomBytes(3_000);
  const options = await fetch(`${door.url}/tus`, { method: 'OPTIONS' });
  expect(options.headers.get('tus-extension')?.split(',')).toEqual(
    expect.arrayContaining(['creation', 'expiration', 'termination', 'checksum']),
  );
  expect(options.headers.get('tus-checksum-algorithm')).toBe('sha1,sha256,md5');
  const created = await create(door, content.length);
  expect(created.status).toBe(201);
  const url = `${door.url}${created.headers.get('location')}`;
  expect((await patch(url, 0, content.subarray(0, 1_000))).headers.get('upload-offset')).toBe('1000');
  // A piece that came wrong is not taken, and goes again.
  const rest = content.subarray(1_000);
  const sha1 = (bytes: Buffer) => `sha1 ${createHash('sha1').update(bytes).digest('base64')}`;
  const wrong = await patch(url, 1_000, rest, { 'upload-checksum': sha1(content) });
  expect(wrong.status).toBe(460);
  expect((await fetch(url, { method: 'HEAD', headers: TUS })).headers.get('upload-offset')).toBe('1000');
  const last = await patch(url, 1_000, rest, { 'upload-checksum': sha1(rest) });
  expect(last.status).toBe(204);
  const file = last.headers.get('slipway-file');
  expect(file).toMatch(/^\/v1\/files\/file-[0-9a-f]{32}$/);
  // Who lost that answer asks how far it got.
  const head = await fetch(url, { method: 'HEAD', headers: TUS });
  expect([head.headers.get('upload-offset'), head.headers.get('slipway-file')]).toEqual(['3000', file]);
  const sha256 = createHash('sha256').update(content).digest('hex');
  expect(await ended(door, file)).toMatchObject({ filename: '会议.txt', bytes: 3_000, sha256 });
  await vi.waitFor(() => expect(door.accepted()).toEqual([]));
  expect(door.receipts()).toHaveLength(1);
  expect(door.receipts()[0]?.meta).toMatchObject({ purpose: 'file-extract' });
});

test('tus-js-client, cut in the middle by a restart of the door, goes on where it was', async () => {
  const folder = gatewayFolder();
  const config = await configOf();
  const first = await gatewayForTest(config, {}, folder);
  const { port } = new URL(first.url);
  const content = randomBytes(6_000_000);
  let sent = 0;
  let atCut = 0;
  let next: TestGateway | null = null;
  const cut = Promise.withResolvers<void>();
  const offsets: number[] = [];
  const upload = await new Promise<Upload>((resolve, reject) => {
    const one: Upload = new Upload(content, {
      endpoint: `${first.url}/tus`,
      chunkSize: 1_000_000,
      retryDelays: Array.from({ length: 60 }, () => 100),
      metadata: { filename: 'large.txt', filetype: 'application/octet-stream' },
      onBeforeRequest(request) {
        if (request.getMethod() === 'PATCH') offsets.push(Number(request.getHeader('Upload-Offset')));
      },
      onChunkComplete(_size, accepted) {
        sent = accepted;
        if (accepted >= 3_000_000) cut.resolve();
      },
      onError: reject,
      onSuccess: () => resolve(one),
    });
    one.start();
    void cut.promise.then(async () => {
      atCut = sent;
      await first.stop();
      next = await gatewayForTest({ ...config, gateway: { port: Number(port) } }, {}, folder, Number(port));
    });
  });
  expect(upload.url).toContain('/tus/');
  expect(atCut).toBeGreaterThanOrEqual(3_000_000);
  // Nothing that had got there was sent again.
  expect(offsets.filter((offset) => offset === 0)).toHaveLength(1);
  const door = next as unknown as TestGateway;
  await vi.waitFor(() => expect(door.receipts()).toHaveLength(1));
  expect(door.receipts()[0]).toMatchObject({
    error: null,
    status: 'uploaded',
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  });
});

test('what is refused is refused at its creation; an upload is its caller’s alone', async () => {
  const door = await gatewayForTest(
    await configOf({
      gateway: {
        maxBytes: 10_000,
        keys: [
          { name: 'one', env: 'ONE' },
          { name: 'two', env: 'TWO' },
        ],
      },
    }),
    { ONE: 'key-of-one', TWO: 'key-of-two' },
  );
  const one = { authorization: 'Bearer key-of-one' };
  expect((await create(door, 10)).status).toBe(401);
  expect((await create(door, 10_001, one)).status).toBe(413);
  const created = await create(door, 10, one);
  const url = `${door.url}${created.headers.get('location')}`;
  const two = { authorization: 'Bearer key-of-two' };
  expect((await fetch(url, { method: 'HEAD', headers: { ...TUS, ...two } })).status).toBe(404);
  expect((await patch(url, 0, Buffer.alloc(10), two)).status).toBe(404);
  expect((await fetch(url, { method: 'HEAD', headers: { ...TUS, ...one } })).status).toBe(200);
  // Given up, nothing of it stays.
  expect((await fetch(url, { method: 'DELETE', headers: { ...TUS, ...one } })).status).toBe(204);
  expect(readdirSync(join(door.dataDir, 'gateway', 'tus'))).toEqual([]);
  for (const [method, path] of [
    ['GET', '/tus'],
    ['PUT', '/tus/x'],
  ] as const)
    expect((await fetch(`${door.url}${path}`, { method, headers: one })).status).toBe(405);
  const foreign = await fetch(`${door.url}/tus`, {
    method: 'POST',
    headers: { ...TUS, ...one, 'upload-length': '1', origin: 'https://elsewhere.example' },
  });
  expect(foreign.status).toBe(403);
});

test('an upload that was whole when the door was killed is taken in by the next start', async () => {
  const folder = gatewayFolder();
  const config = await configOf();
  const door = await gatewayForTest(config, {}, folder);
  const created = await create(door, 4);
  const id = created.headers.get('location')?.split('/').at(-1) ?? '';
  await door.stop();
  writeFileSync(join(door.dataDir, 'gateway', 'tus', id), 'full');
  writeFileSync(join(door.dataDir, 'gateway', 'tus', 'f'.repeat(32)), 'nobody knows it');
  const next = await gatewayForTest(config, {}, folder);
  expect(await ended(next, `/v1/files/file-${id}`)).toMatchObject({ bytes: 4 });
  expect(existsSync(join(door.dataDir, 'gateway', 'tus', 'f'.repeat(32)))).toBe(false);
});
