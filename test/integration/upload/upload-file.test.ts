import { createHash, randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { PreparedRequest } from '../../../src/destinations/destination.ts';
import type { UploadFailure } from '../../../src/domain/attempt.ts';
import { bytesOf } from '../../../src/domain/path-bytes.ts';
import type { HttpRequest } from '../../../src/platform/http/http-message.ts';
import { startHttpServer, type Visit } from '../../support/http-server.ts';
import { type ReadPart, readMultipart } from '../../support/multipart-reader.ts';
import {
  attempt,
  fileTask,
  plainDestination,
  taskOf,
  testClient,
  uploadFolder,
} from '../../support/upload-fixture.ts';

/** A server that takes every file, and what it has taken. */
async function receiver() {
  const received: { parts: ReadPart[]; headers: Visit['request']['headers']; bytes: number }[] = [];
  const server = await startHttpServer(async (visit) => {
    const body = await visit.body();
    const { headers } = visit.request;
    received.push({ parts: readMultipart(body, headers['content-type']), headers, bytes: body.length });
    visit.json(200, { code: 0 });
  });
  return { received, url: `${server.origin}/upload?v=1` };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

const KIB = 1024;
const MIB = 1024 * KIB;

test.each([
  ['an empty file', 0],
  ['one byte', 1],
  ['what fits in a socket buffer', 64 * KIB - 200],
  ['a byte more than is read on the event loop', 64 * KIB + 1],
  ['several slices of one buffer', 700 * KIB],
  ['the largest single buffer', MIB],
  ['the smallest stream', MIB + 1],
  ['whole reads', 4 * 512 * KIB],
  ['50 MB with an odd end', 50_000_017],
])('every byte arrives, with exact length and sha256: %s', async (_, size) => {
  const { received, url } = await receiver();
  const content = randomBytes(size);
  const task = fileTask(uploadFolder(), 'data.bin', content);
  const result = await attempt(task, plainDestination(url), testClient().send);

  expect(result).toMatchObject({ kind: 'uploaded', bytes: size, sha256: sha256(content), requests: 1 });
  const [only] = received;
  expect(received).toHaveLength(1);
  expect(only?.parts).toHaveLength(1);
  expect(only?.parts[0]?.content.equals(content)).toBe(true);
  expect(only?.headers['content-length']).toBe(String(only?.bytes));
  expect(only?.headers['transfer-encoding']).toBeUndefined();
});

test('a small file through the thread pool is the same upload', async () => {
  const { received, url } = await receiver();
  const task = fileTask(uploadFolder(), 'a.txt', 'hello');
  const result = await attempt(task, plainDestination(url), testClient().send, { localDisk: false });
  expect(result).toMatchObject({
    kind: 'uploaded',
    sha256: sha256(Buffer.from('hello')),
    contentType: 'text/plain',
  });
  expect(received[0]?.parts[0]?.content.toString()).toBe('hello');
});

test.each<[string, string | Buffer, string]>([
  ['quotes', 'say "hi".txt', 'say %22hi%22.txt'],
  ['CR and LF', 'a\r\nb.txt', 'a%0D%0Ab.txt'],
  ['spaces and percent signs', '100% of it %41.txt', '100% of it %41.txt'],
  ['CJK', '第一课 资料.mp4', '第一课 资料.mp4'],
  ['emoji', '🙂👍🏽.png', '🙂👍🏽.png'],
  ['255 bytes', `${'长'.repeat(83)}ab.txt`, `${'长'.repeat(83)}ab.txt`],
])('a name arrives as browsers send it: %s', async (_, name, expected) => {
  const { received, url } = await receiver();
  const result = await attempt(fileTask(uploadFolder(), name, 'x'), plainDestination(url), testClient().send);
  expect(result.kind).toBe('uploaded');
  const head = Buffer.from(received[0]?.parts[0]?.head ?? '', 'latin1').toString();
  expect(head).toContain(`name="files"; filename="${expected}"\r\n`);
});

// APFS takes UTF-8 names only.
test.skipIf(process.platform === 'darwin')(
  'a name that is not UTF-8 arrives as valid UTF-8, as strict servers demand',
  async () => {
    const { received, url } = await receiver();
    const name = Buffer.from([0x63, 0x61, 0x66, 0xe9, 0xff, 0x2e, 0x70, 0x64, 0x66]);
    const task = fileTask(uploadFolder(), name, 'x');
    expect(bytesOf(task.name).equals(name)).toBe(true);
    const result = await attempt(task, plainDestination(url), testClient().send);
    expect(result).toMatchObject({ kind: 'uploaded', contentType: 'application/pdf' });
    const head = Buffer.from(received[0]?.parts[0]?.head ?? '', 'latin1').toString();
    expect(head).toContain('filename="caf\uFFFD\uFFFD.pdf"\r\n');
  },
);

test('only the last part of the path is sent, after the text fields, with the content type asked for', async () => {
  const { received, url } = await receiver();
  const root = uploadFolder();
  const file = fileTask(root, 'a.json', '{}');
  const destination = plainDestination(url, {
    authorize: async () => ({
      method: 'POST',
      url,
      headers: { 'X-Auth-Appid': '100003' },
      fields: [['purpose', 'file-extract']],
      fileField: 'file',
      tokenGeneration: 0,
    }),
  });
  const task = { ...file, root: join(root, '..'), name: { path: `${root.split('/').at(-1)}/a.json` } };
  const result = await attempt(
    { ...task, contentTypeOverride: 'text/x-odd' },
    destination,
    testClient().send,
  );
  expect(result).toMatchObject({ kind: 'uploaded', contentType: 'text/x-odd' });
  expect(received[0]?.parts.map(({ head }) => head)).toEqual([
    'Content-Disposition: form-data; name="purpose"',
    'Content-Disposition: form-data; name="file"; filename="a.json"\r\nContent-Type: text/x-odd',
  ]);
  expect(received[0]?.headers['x-auth-appid']).toBe('100003');
});

test('limits of the destination skip a file without a token or a request', async () => {
  const { received, url } = await receiver();
  const root = uploadFolder();
  const limits = { maxBytes: 3, minBytes: 1, extensions: ['.txt'] };
  const authorize = async (): Promise<PreparedRequest> => {
    throw new Error('not to be asked');
  };
  const destination = plainDestination(url, { limits, authorize });
  const { send } = testClient();
  const codeOf = async (name: string, content: string) => {
    const result = await attempt(fileTask(root, name, content), destination, send);
    return result.kind === 'skipped' ? [result.code, result.message, result.requests] : result;
  };
  expect(await codeOf('big.txt', '1234')).toEqual(['too_large', expect.stringContaining('3 bytes'), 0]);
  expect(await codeOf('none.txt', '')).toEqual(['empty', expect.stringContaining('1 bytes'), 0]);
  expect(await codeOf('a.exe', '12')).toEqual(['type', expect.stringContaining('.txt'), 0]);
  expect(received).toHaveLength(0);
});

test('mended credentials are tried again within the attempt, with a fresh body each time', async () => {
  const contents: string[] = [];
  const server = await startHttpServer(async (visit) => {
    const [part] = readMultipart(await visit.body(), visit.request.headers['content-type']);
    contents.push(part?.content.toString('hex').slice(0, 8) ?? '');
    if (visit.attempt < 3) visit.json(401, {});
    else visit.json(200, { code: 0 });
  });
  const content = randomBytes(3 * MIB);
  const reconsidered: UploadFailure[] = [];
  const destination = plainDestination(`${server.origin}/`, {
    reconsider: (failure) => {
      reconsidered.push(failure);
      return 'again';
    },
  });
  const result = await attempt(fileTask(uploadFolder(), 'a.bin', content), destination, testClient().send);
  expect(result).toMatchObject({ kind: 'uploaded', requests: 3, sha256: sha256(content) });
  expect(contents).toEqual(Array(3).fill(content.toString('hex').slice(0, 8)));
  expect(reconsidered.map(({ code }) => code)).toEqual(['401', '401']);
});

test('a destination that mends for ever ends after five requests with its failure', async () => {
  const server = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(401, {});
  });
  const destination = plainDestination(`${server.origin}/`, { reconsider: () => 'again' });
  const result = await attempt(fileTask(uploadFolder(), 'a.txt', 'a'), destination, testClient().send);
  expect(result).toMatchObject({ kind: 'failed', failure: { code: '401' }, requests: 5 });
  expect(server.visits()).toBe(5);
});

test('a success before the whole file was sent is no success', async () => {
  const server = await startHttpServer(({ response }) => {
    response.end('{"code":0}');
  });
  let accepted = 0;
  const destination = plainDestination(`${server.origin}/`, {
    accepted: () => {
      accepted += 1;
    },
  });
  const task = fileTask(uploadFolder(), 'a.bin', randomBytes(64 * MIB));
  const result = await attempt(task, destination, testClient().send);
  expect(result).toMatchObject({ kind: 'failed', failure: { kind: 'unavailable', code: 'bad_answer' } });
  expect(accepted).toBe(0);
});

test('a file of 256 MiB never has more than the socket holds in flight', async () => {
  const size = 256 * MIB;
  const root = uploadFolder();
  const fd = openSync(join(root, 'sparse.bin'), 'w');
  ftruncateSync(fd, size);
  closeSync(fd);
  let handed = 0;
  let received = 0;
  let most = 0;
  const server = await startHttpServer(async ({ request, json }) => {
    for await (const chunk of request) {
      received += (chunk as Buffer).length;
      most = Math.max(most, handed - received);
    }
    json(200, { code: 0 });
  });
  const { send } = testClient();
  const counting = (request: HttpRequest) => {
    const { body } = request;
    if (body === null || Buffer.isBuffer(body)) throw new Error('expected a stream');
    const counted = async function* () {
      for await (const chunk of body) {
        handed += chunk.length;
        yield chunk;
      }
    };
    return send({ ...request, body: counted() });
  };
  const result = await attempt(taskOf(root, 'sparse.bin'), plainDestination(`${server.origin}/`), counting);
  expect(result).toMatchObject({
    kind: 'uploaded',
    bytes: size,
    // sha256 of 2^28 zero bytes
    sha256: 'a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484',
  });
  expect(received).toBeGreaterThan(size);
  // Linux gives a loopback connection at most some 4 MiB to send and 6 MiB to receive.
  expect(most).toBeLessThan(32 * MIB);
});

test('an odd modification time is compared to the last nanosecond', async () => {
  const { url } = await receiver();
  const root = uploadFolder();
  fileTask(root, 'a.txt', 'a');
  utimesSync(join(root, 'a.txt'), 1_700_000_000.123, 1_700_000_000.123);
  const task = taskOf(root, 'a.txt');
  const { send } = testClient();
  expect((await attempt(task, plainDestination(url), send)).kind).toBe('uploaded');
  const other = { ...task, mtimeNs: String(BigInt(task.mtimeNs) + 1n) };
  expect(await attempt(other, plainDestination(url), send)).toMatchObject({
    kind: 'skipped',
    code: 'changed',
  });
});
