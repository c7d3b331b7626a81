import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, test, vi } from 'vitest';
import { formOf, gatewayForTest, sandboxDestinations } from '../support/gateway.ts';
import { sandboxForTest } from '../support/sandbox.ts';

/** Ten thousand of them where nobody waits: `SLIPWAY_MALFORMED=10000`. */
const REQUESTS = Number(process.env.SLIPWAY_MALFORMED ?? 600);
const AT_ONCE = 8;

/** A fixed sequence of whole numbers below `limit`. */
function dice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const BOUNDARY = '----form';
const PATHS = ['/v1/files', '/upload-openai-file', '/agentdr/v1/assistant/upload-mix', '/tus', '/v1/files/x'];
const NAMES = ['../../etc/passwd', 'a\\b', '\u0000', '"', '‮exe', 'x'.repeat(300), 'CON', '.', '', 'é\u0301'];

function body(random: (limit: number) => number, field: string): Buffer {
  const name = NAMES[random(NAMES.length)] ?? '';
  const size = random(20) === 0 ? 1_200_000 : random(2_000);
  return Buffer.concat([
    Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${field}"; filename="${name}"\r\nContent-Type: text/plain\r\n\r\n`,
    ),
    Buffer.alloc(size, 'x'),
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ]);
}

/** One request that is wrong in one of many ways. */
function malformed(random: (limit: number) => number): Buffer {
  const path = PATHS[random(PATHS.length)] ?? '';
  const whole = body(random, path.includes('upload-mix') ? 'files' : 'file');
  const method = random(10) === 0 ? 'PATCH' : 'POST';
  const head = (more: readonly string[], type = `multipart/form-data; boundary=${BOUNDARY}`): string =>
    [
      `${method} ${path} HTTP/1.1`,
      'Host: 127.0.0.1',
      'Connection: close',
      `Content-Type: ${type}`,
      ...more,
      '',
      '',
    ].join('\r\n');
  const length = `Content-Length: ${whole.length}`;
  const join = (...parts: (string | Buffer)[]): Buffer =>
    Buffer.concat(parts.map((part) => Buffer.from(part)));
  switch (random(12)) {
    case 0:
      return join(head([length]), whole.subarray(0, random(whole.length)));
    case 1: {
      const bytes = join(head([length]), whole);
      for (let times = 1 + random(8); times > 0; times -= 1)
        bytes[random(Math.min(bytes.length, 600))] = random(256);
      return bytes;
    }
    case 2:
      return join(head([length, `X-Bomb: ${'a'.repeat(16_000 + random(10_000))}`]), whole);
    case 3:
      return join(head([length, 'Transfer-Encoding: chunked']), whole);
    case 4:
      return join(
        head(['Transfer-Encoding: chunked']),
        `${['zz', '-1', 'ffffffffffffffff'][random(3)]}\r\n`,
        whole,
      );
    case 5:
      return join(head([length], 'multipart/form-data'), whole);
    case 6:
      return join(head([length], 'multipart/form-data; boundary=other'), whole);
    case 7:
      return join(head([length, `Content-Length: ${whole.length + 7}`]), whole);
    case 8:
      return join(
        head([`Content-Length: ${['-5', 'x', '1e9', ' ', '99999999999999999999'][random(5)]}`]),
        whole,
      );
    case 9: {
      const lines = Array.from({ length: 2_500 }, (_, n) => `X-${n}: y`).join('\r\n');
      const part = `--${BOUNDARY}\r\n${lines}\r\n\r\nx\r\n--${BOUNDARY}--\r\n`;
      return join(head([`Content-Length: ${part.length}`]), part);
    }
    case 10: {
      const text = ['{', '[]', '{"filename":1}', '{"filename":"a","fileContent":"?"}', '['.repeat(5_000)][
        random(5)
      ];
      return join(head([`Content-Length: ${text?.length}`], 'application/json'), text ?? '');
    }
    default:
      return join(
        `${['GET', 'post', 'BREW', 'PRI'][random(4)]} ${['*', '/%', '//x', `/${'a'.repeat(9_000)}`][random(4)]} HTTP/${['1.1', '9.9'][random(2)]}\r\n`,
        `Host: ${['127.0.0.1', 'evil.example', 'a\u0000b'][random(3)]}\r\n\r\n`,
        random(2) === 0 ? 'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n' : '',
      );
  }
}

/** @returns every status it was answered with; none: the connection was closed */
async function statusesOf(port: number, bytes: Buffer, cutAfter: number | null): Promise<number[]> {
  const socket = connect(port, '127.0.0.1');
  const answer: Buffer[] = [];
  return await new Promise((resolve) => {
    const done = (): void => {
      socket.destroy();
      const text = Buffer.concat(answer).toString('latin1');
      resolve([...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)));
    };
    socket.on('data', (chunk: Buffer) => answer.push(chunk));
    socket.on('error', done);
    socket.on('close', done);
    socket.setTimeout(2_000, done);
    if (cutAfter === null) socket.end(bytes);
    else {
      socket.write(bytes.subarray(0, cutAfter), () => socket.resetAndDestroy());
    }
  });
}

const openFiles = (): number => readdirSync('/proc/self/fd').length;

test('malformed requests in a fixed random sequence: 4xx or closed, nothing left, and the next upload works', async () => {
  const sandbox = await sandboxForTest({ limits: { vectorxUploadsPerSecond: 100_000 } });
  const { agent } = sandboxDestinations(sandbox);
  const door = await gatewayForTest({
    destinations: { agent },
    redis: { url: '/nowhere/redis.sock' },
    timeouts: { idle: '1s' },
    log: { level: 'silent' },
  });
  const upload = () =>
    fetch(`${door.url}/v1/files`, { method: 'POST', body: formOf({ name: 'a.txt', content: 'hello' }) });
  expect((await upload()).status).toBe(200);
  const { port } = new URL(door.url);
  const random = dice(17);
  const requests = Array.from({ length: REQUESTS }, () => {
    const bytes = malformed(random);
    return { bytes, cutAfter: random(6) === 0 ? random(bytes.length) : null };
  });
  const before = openFiles();
  const wrong: string[] = [];
  const rest = requests.entries();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const [index, { bytes, cutAfter }] of rest) {
        for (const status of await statusesOf(Number(port), bytes, cutAfter)) {
          // Resumable uploads queue, and there is no Redis here: 503 is what they are told.
          const isTus = bytes.subarray(0, 40).includes('/tus');
          if (status >= 500 && !(status === 503 && isTus))
            wrong.push(`${index}: ${status} for ${bytes.subarray(0, 60).toString('latin1')}`);
        }
      }
    }),
  );
  expect(wrong).toEqual([]);
  const answer = await upload();
  expect(answer.status).toBe(200);
  await answer.arrayBuffer();
  expect(door.log.filter(({ message }) => message === 'a request failed')).toEqual([]);
  await vi.waitFor(() => {
    expect(door.incoming()).toEqual([]);
    expect(readdirSync(`${door.dataDir}/gateway/tus`)).toEqual([]);
    expect(openFiles()).toBeLessThanOrEqual(before + 4);
  });
});
