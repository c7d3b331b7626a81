import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { openHttpClient } from '../../../src/platform/http/http-client.ts';
import type { HttpRequest } from '../../../src/platform/http/http-message.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { testClient } from '../../support/upload-fixture.ts';

const TLS = join(import.meta.dirname, '../../fixtures/tls');

function readTls() {
  return {
    key: readFileSync(join(TLS, 'key.pem'), 'utf8'),
    cert: readFileSync(join(TLS, 'cert.pem'), 'utf8'),
  };
}

function post(url: string, overrides: Partial<HttpRequest> = {}): HttpRequest {
  const body = Buffer.from('hello');
  const { signal } = new AbortController();
  return {
    method: 'POST',
    url,
    headers: {},
    body,
    contentLength: 5,
    signal,
    maxResponseBytes: 1000,
    ...overrides,
  };
}

async function listening(server: ReturnType<typeof createTcpServer> | Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

test.each<[string, Record<string, string>]>([
  ['a line break in a value', { 'x-a': 'secret\r\nx-evil: 1' }],
  ['a character beyond latin1', { 'x-a': 'secret 中' }],
  ['a name that is no token', { 'x a': 'secret' }],
  ['the length, which is ours', { 'Content-Length': '1' }],
  ['the framing, which is ours', { 'transfer-encoding': 'chunked' }],
  ['an expectation', { expect: '100-continue' }],
])('a header that cannot be sent is refused without harm to the pool: %s', async (_, headers) => {
  const server = await startHttpServer((visit) => visit.json(200, { code: 0 }));
  const client = testClient({ connectionsPerOrigin: 1 });
  for (let turn = 0; turn < 3; turn += 1) {
    const sent = client.send(post(server.origin, { headers }));
    await expect(sent).rejects.toMatchObject({
      code: 'misconfigured',
      message: expect.not.stringContaining('secret'),
    });
  }
  expect((await client.send(post(server.origin))).status).toBe(200);
});

test('header names are sent once each, whatever their case', async () => {
  const server = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(
      200,
      visit.request.rawHeaders.map((text) => text.toLowerCase()),
    );
  });
  const { body } = await testClient().send(
    post(server.origin, { headers: { 'User-Agent': 'mine', 'X-A': '1' } }),
  );
  const raw = JSON.parse(body) as string[];
  expect(raw.filter((text) => text === 'user-agent')).toHaveLength(1);
  expect(raw).toContain('mine');
});

test.each(['not a url', 'ftp://127.0.0.1/', 'file:///etc/passwd'])('%s is no URL to send to', async (url) => {
  await expect(testClient().send(post(url))).rejects.toMatchObject({ code: 'misconfigured' });
});

test('a refused connection names the origin and never the query', async () => {
  const port = await listening(createTcpServer());
  const gone = createTcpServer();
  const unused = await new Promise<number>((resolve) => {
    gone.listen(0, '127.0.0.1', () => resolve((gone.address() as AddressInfo).port));
  });
  await new Promise((resolve) => gone.close(resolve));
  expect(unused).not.toBe(port);
  await expect(testClient().send(post(`http://127.0.0.1:${unused}/p?token=secret`))).rejects.toMatchObject({
    code: 'connection',
    message: `the connection failed (ECONNREFUSED at http://127.0.0.1:${unused})`,
  });
});

test('a handshake that hangs is a time-out of connecting', async () => {
  const port = await listening(createTcpServer());
  const client = testClient({ connectTimeoutMs: 100 });
  await expect(client.send(post(`https://127.0.0.1:${port}/`))).rejects.toMatchObject({
    code: 'timeout',
    message: expect.stringContaining('connecting to https://127.0.0.1'),
  });
});

test('a slow link is no dead one: a body may take many idle time-outs as long as it moves', async () => {
  // Far more than the sockets hold, at about 5 MiB/s: what is sent between two looks moves in a fraction of the idle time-out.
  const bytes = 24 * 1024 * 1024;
  const idleTimeoutMs = 1_500;
  let received = 0;
  const port = await listening(
    createTcpServer((socket) => {
      socket.on('data', (chunk) => {
        received += chunk.length;
        socket.pause();
        if (received > bytes) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
        else setTimeout(() => socket.resume(), chunk.length / 5_000);
      });
    }),
  );
  const client = testClient({ idleTimeoutMs, responseTimeoutMs: 20_000 });
  const answer = await client.send(
    post(`http://127.0.0.1:${port}/`, { body: Buffer.alloc(bytes), contentLength: bytes }),
  );
  expect(answer).toMatchObject({ status: 200, body: 'ok' });
});

test('the memory of a chunk may be used again as soon as the next one is asked for', async () => {
  const sizes = [10, 40_000, 65_535, 65_536, 1, 70_000];
  const count = 600;
  const expected = createHash('sha256');
  let handed = 0;
  const chunks = async function* () {
    const shared = Buffer.alloc(70_000);
    for (let index = 0; index < count; index += 1) {
      const chunk = shared.subarray(0, sizes[index % sizes.length]).fill(index % 251);
      expected.update(chunk);
      handed += chunk.length;
      yield chunk;
    }
  };
  const server = await startHttpServer(async ({ request, response, body }) => {
    // Nothing is read until the sockets are full: only then does a chunk wait in the client's memory.
    let before = -1;
    await vi.waitUntil(
      () => {
        const stalled = handed > 1_000_000 && handed === before;
        before = handed;
        return stalled;
      },
      { interval: 50, timeout: 10_000 },
    );
    expect(request.complete).toBe(false);
    response.end(
      createHash('sha256')
        .update(await body())
        .digest('hex'),
    );
  });
  const contentLength = Array.from({ length: count }, (_, index) => sizes[index % sizes.length] ?? 0).reduce(
    (a, b) => a + b,
  );
  const answer = await testClient().send(post(server.origin, { body: chunks(), contentLength }));
  expect(answer.body).toBe(expected.digest('hex'));
});

test('a SlipwayError of the body is what send throws, anything else is a failed connection', async () => {
  const server = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(200, {});
  });
  const client = testClient({ connectionsPerOrigin: 1 });
  const sendFailing = (error: Error) => {
    const chunks = async function* () {
      yield Buffer.alloc(10);
      throw error;
    };
    return client.send(post(server.origin, { body: chunks(), contentLength: 20 }));
  };
  const ours = new SlipwayError('file_changed', { what: 'x' });
  await expect(sendFailing(ours)).rejects.toBe(ours);
  await expect(sendFailing(new RangeError('x'))).rejects.toMatchObject({ code: 'connection' });
  expect((await client.send(post(server.origin))).status).toBe(200);
});

test('early hints are not the answer', async () => {
  const server = await startHttpServer(async ({ body, response, json }) => {
    await body();
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.writeProcessing();
    json(200, { code: 0 });
  });
  expect(await testClient().send(post(server.origin))).toMatchObject({ status: 200, body: '{"code":0}' });
});

test('an answer that stops half-way is a time-out of the reading', async () => {
  const server = await startHttpServer(async ({ body, response }) => {
    await body();
    response.writeHead(200, { 'content-length': 100 });
    response.write('half');
  });
  const client = testClient({ idleTimeoutMs: 100 });
  await expect(client.send(post(server.origin))).rejects.toMatchObject({
    code: 'timeout',
    message: expect.stringContaining('reading the answer'),
  });
});

test('an abort throws the reason of the signal, before and during the request', async () => {
  const server = await startHttpServer(() => new Promise(() => {}));
  const client = testClient();
  const reason = new Error('mine');
  await expect(client.send(post(server.origin, { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
  expect(server.visits()).toBe(0);
  const stop = new AbortController();
  const sent = client.send(post(server.origin, { signal: stop.signal }));
  stop.abort(reason);
  await expect(sent).rejects.toBe(reason);
});

test('a text is fetched within its own time and size', async () => {
  const server = await startHttpServer(({ request, response }) => {
    if (request.url === '/token') response.end('  Bearer abc \n');
    if (request.url === '/large') response.end('x'.repeat(2000));
    if (request.url === '/drip') response.write('never ends');
  });
  const client = testClient();
  const { signal } = new AbortController();
  const options = { timeoutMs: 5_000, maxBytes: 1000, signal };
  expect(await client.fetchText(`${server.origin}/token`, options)).toEqual({
    status: 200,
    body: '  Bearer abc \n',
  });
  await expect(client.fetchText(`${server.origin}/large`, options)).rejects.toMatchObject({
    code: 'answer_too_large',
  });
  await expect(
    client.fetchText(`${server.origin}/drip?t=secret`, { ...options, timeoutMs: 100 }),
  ).rejects.toMatchObject({
    code: 'timeout',
    message: expect.not.stringContaining('secret'),
  });
});

test('closing ends what is under way', async () => {
  const server = await startHttpServer(() => new Promise(() => {}));
  const client = testClient();
  const sent = client.send(post(server.origin));
  const failed = expect(sent).rejects.toMatchObject({ code: 'connection' });
  await client.close();
  await failed;
});

test('a certificate authority of its own is trusted besides the usual ones', async () => {
  const tls = {
    key: readFileSync(join(TLS, 'key.pem'), 'utf8'),
    cert: readFileSync(join(TLS, 'cert.pem'), 'utf8'),
  };
  const server = await startHttpServer((visit) => visit.json(200, {}), tls);
  await expect(testClient().send(post(server.origin))).rejects.toMatchObject({
    code: 'connection',
    message: expect.stringContaining('network.caFile'),
  });
  const trusting = testClient({ caFile: join(TLS, 'cert.pem') });
  expect((await trusting.send(post(server.origin))).status).toBe(200);
});

test('a certificate file that is not there is a mistake of the config', () => {
  const options = { connectTimeoutMs: 1, responseTimeoutMs: 1, idleTimeoutMs: 1, connectionsPerOrigin: 1 };
  const proxies = { http: null, https: null, no: null };
  expect(() => openHttpClient({ ...options, proxies, caFile: '/no/such.pem' })).toThrow(
    /cannot read \/no\/such.pem \(ENOENT\): correct the path/,
  );
});

/** A proxy that leads everywhere to one server and keeps what it was asked for. */
async function startProxy(targetPort: number) {
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    const onward = connect(targetPort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  proxy.on('request', (request, response) => {
    asked.push(request.url ?? '');
    request.resume();
    response.end('{}');
  });
  return { asked, origin: `http://127.0.0.1:${await listening(proxy)}` };
}

test('requests go through the proxy, except to this machine and to hosts of no_proxy', async () => {
  const server = await startHttpServer((visit) => visit.json(200, {}));
  const proxy = await startProxy(Number(new URL(server.origin).port));
  const client = testClient({ proxies: { http: proxy.origin, https: null, no: 'inside.invalid' } });
  await client.send(post('http://files.invalid/upload'));
  expect(proxy.asked.map((url) => new URL(url.includes('//') ? url : `http://${url}`).hostname)).toEqual([
    'files.invalid',
  ]);
  await client.send(post(server.origin));
  await expect(client.send(post('http://inside.invalid/'))).rejects.toMatchObject({ code: 'connection' });
  expect(proxy.asked).toHaveLength(1);
});

test('a proxy that never opens the tunnel is a failure, not a hang', async () => {
  const proxy = createServer();
  proxy.on('connect', () => {});
  const origin = `http://127.0.0.1:${await listening(proxy)}`;
  const client = testClient({ connectTimeoutMs: 100, proxies: { http: null, https: origin, no: null } });
  await expect(client.send(post('https://files.invalid/'))).rejects.toMatchObject({ code: 'timeout' });
});

test('a proxy that refuses the tunnel is named as the reason', async () => {
  const proxy = createServer();
  proxy.on('connect', (_, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  const origin = `http://127.0.0.1:${await listening(proxy)}`;
  const client = testClient({ proxies: { http: null, https: origin, no: null } });
  await expect(client.send(post('https://files.invalid/'))).rejects.toMatchObject({
    code: 'connection',
    message: expect.stringContaining('proxy refused to connect to https://files.invalid (HTTP 403)'),
  });
});

test.each(['http://files.invalid/', 'https://files.invalid/'])(
  'on the way to %s a proxy that does not answer is named without its password',
  async (url) => {
    const gone = createServer();
    const port = await listening(gone);
    await new Promise((closed) => gone.close(closed));
    const proxy = `http://me:secret@127.0.0.1:${port}/`;
    const client = testClient({ proxies: { http: proxy, https: proxy, no: null } });
    const failure: unknown = await client.send(post(url)).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'connection',
      message: expect.stringContaining(`ECONNREFUSED at the proxy http://127.0.0.1:${port}, on the way to`),
    });
    expect(String(failure)).not.toContain('secret');
  },
);

test('TLS through a proxy trusts the same authorities', async () => {
  const server = await startHttpServer((visit) => visit.json(200, {}), readTls());
  const proxy = await startProxy(Number(new URL(server.origin).port));
  const proxies = { http: null, https: proxy.origin, no: null };
  await expect(testClient({ proxies }).send(post('https://files.invalid/'))).rejects.toMatchObject({
    code: 'connection',
  });
  const trusting = testClient({ proxies, caFile: join(TLS, 'cert.pem') });
  expect((await trusting.send(post('https://files.invalid/'))).status).toBe(200);
});
