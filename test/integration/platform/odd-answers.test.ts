import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import type { HttpRequest } from '../../../src/platform/http/http-message.ts';
import { tlsFiles } from '../../support/tls-files.ts';
import { testClient } from '../../support/upload-fixture.ts';

function post(url: string, overrides: Partial<HttpRequest> = {}): HttpRequest {
  const body = overrides.body === undefined ? Buffer.from('hello') : overrides.body;
  const { signal } = new AbortController();
  return {
    ...{ method: 'POST', url, headers: {}, body, contentLength: 5, signal, maxResponseBytes: 10_000 },
    ...overrides,
  };
}

async function listening(
  server: Server | ReturnType<typeof createTcpServer>,
  scheme = 'http',
): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const JSON_TEXT = '{"id":"file-1","文":"件"}';

test.each<[string, (text: string) => Buffer]>([
  ['gzip', (text) => gzipSync(text)],
  ['x-gzip', (text) => gzipSync(text)],
  ['deflate', (text) => deflateSync(text)],
  ['deflate', (text) => deflateRawSync(text)],
  ['br', (text) => brotliCompressSync(text)],
  ['zstd', (text) => zstdCompressSync(text)],
  ['gzip, br', (text) => brotliCompressSync(gzipSync(text))],
  ['GZIP', (text) => gzipSync(text)],
])('an answer in %s is read, though none was asked for', async (coding, encode) => {
  const asked: (string | undefined)[] = [];
  const origin = await listening(
    createServer((request, response) => {
      asked.push(request.headers['accept-encoding'] as string | undefined);
      response.writeHead(200, { 'content-encoding': coding }).end(encode(JSON_TEXT));
    }),
  );
  const answer = await testClient().send(post(origin));
  expect(answer.body).toBe(JSON_TEXT);
  expect(asked).toEqual(['identity']);
});

test('a bomb in gzip is too large, and bytes that are no gzip stay what they are', async () => {
  const bodies = [gzipSync(Buffer.alloc(50_000_000)), Buffer.from('{"not":"gzip"}')];
  const origin = await listening(
    createServer((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bodies.shift());
    }),
  );
  const client = testClient();
  await expect(client.send(post(origin, { maxResponseBytes: 1_000_000 }))).rejects.toMatchObject({
    code: 'answer_too_large',
  });
  expect((await client.send(post(origin))).body).toBe('{"not":"gzip"}');
});

test('an answer in GBK is read as its header says', async () => {
  const gbk = Buffer.from([0xce, 0xc4, 0xbc, 0xfe, 0xb9, 0xfd, 0xb4, 0xf3]);
  const origin = await listening(
    createServer((_, response) => {
      response.writeHead(400, { 'content-type': 'text/plain; charset=GBK' }).end(gbk);
    }),
  );
  expect((await testClient().send(post(origin))).body).toBe('文件过大');
});

test('an answer that trickles for ever ends with the time for answers', async () => {
  const origin = await listening(
    createServer((request, response) => {
      request.resume();
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    }),
  );
  const client = testClient({ responseTimeoutMs: 300, idleTimeoutMs: 10_000 });
  await expect(client.send(post(origin))).rejects.toMatchObject({
    code: 'timeout',
    message: expect.stringContaining('reading the whole answer'),
  });
  const cut = await client.send(post(origin, { cutAnswer: true }));
  expect(cut.status).toBe(200);
});

test('for whom only the status counts, an answer that breaks off has one', async () => {
  const origin = await listening(
    createTcpServer((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 204x\r\n'.replace('204x', '202 Accepted'));
        socket.write('content-length: 100\r\n\r\nhalf', () => socket.destroy());
      });
    }),
  );
  const client = testClient();
  expect(await client.send(post(origin, { cutAnswer: true }))).toMatchObject({ status: 202, body: 'half' });
  await expect(client.send(post(origin))).rejects.toMatchObject({ code: 'connection' });
});

test('an answer that comes before the body has left is told from one that followed it', async () => {
  const origin = await listening(
    createTcpServer((socket) => {
      // It never reads: what the sockets do not hold cannot have left.
      socket.pause();
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
    }),
  );
  const large = Buffer.alloc(32 * 1024 * 1024);
  const early = await testClient().send(post(origin, { body: large, contentLength: large.length }));
  expect(early).toMatchObject({ status: 200, early: true });

  const polite = await listening(
    createServer((request, response) => {
      request.resume().on('end', () => response.end('{}'));
    }),
  );
  expect(await testClient().send(post(polite))).toMatchObject({ early: false });
  const whole = Buffer.alloc(3 * 1024 * 1024);
  expect(await testClient().send(post(polite, { body: whole, contentLength: whole.length }))).toMatchObject({
    early: false,
  });
});

test('102 and 103 are skipped, and a server that sends 100 unasked is reached from the second request on', async () => {
  const server = createServer((request, response) => {
    response.writeProcessing();
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    request.resume().on('end', () => response.end('{"hints":true}'));
  });
  expect((await testClient().send(post(await listening(server)))).body).toBe('{"hints":true}');

  const received: number[] = [];
  const eager = createServer((request, response) => {
    response.writeContinue();
    let bytes = 0;
    request
      .on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      })
      .on('end', () => {
        received.push(bytes);
        response.end('{"eager":true}');
      });
  });
  const origin = await listening(eager);
  const client = testClient();
  await expect(client.send(post(origin))).rejects.toMatchObject({
    code: 'connection',
    message: expect.stringContaining('100 Continue unasked'),
  });
  expect((await client.send(post(origin))).body).toBe('{"eager":true}');
  async function* chunks() {
    for (let turn = 0; turn < 20; turn += 1) yield Buffer.alloc(100_000);
  }
  const long = await client.send(post(origin, { body: chunks(), contentLength: 2_000_000 }));
  expect(long).toMatchObject({ body: '{"eager":true}', early: false });
  expect(received.slice(-2)).toEqual([5, 2_000_000]);
});

test('a client certificate is shown to servers that ask for one', async () => {
  const files = tlsFiles();
  const server = createTlsServer(
    { key: files.key, cert: files.cert, ca: files.cert, requestCert: true, rejectUnauthorized: true },
    (_, response) => response.end('{}'),
  );
  const origin = await listening(server as unknown as Server, 'https');
  const { caFile, certFile, keyFile } = files;
  await expect(testClient({ caFile }).send(post(origin))).rejects.toMatchObject({ code: 'connection' });
  const client = testClient({ caFile, clientCertificate: { certFile, keyFile } });
  expect((await client.send(post(origin))).status).toBe(200);
});

test('https spoken to an http port says so, and a file without a certificate is a mistake of the config', async () => {
  const plain = await listening(createServer((_, response) => response.end()));
  await expect(testClient().send(post(plain.replace('http:', 'https:')))).rejects.toMatchObject({
    code: 'connection',
    message: expect.stringContaining('does not speak TLS'),
  });
  expect(() => testClient({ caFile: tlsFiles().keyFile })).toThrow(/holds no -----BEGIN CERTIFICATE-----/);
});

test('a proxy that wants credentials is a mistake to mend, not a connection to try again', async () => {
  const proxy = createServer();
  proxy.on('connect', (_, socket) => {
    socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
  });
  const origin = await listening(proxy);
  const client = testClient({ proxies: { http: null, https: origin, no: null } });
  await expect(client.send(post('https://files.invalid/'))).rejects.toMatchObject({
    code: 'misconfigured',
    message: expect.stringContaining('the proxy wants credentials'),
  });
});
