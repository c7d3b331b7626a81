import { randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { Answer, PreparedRequest } from '../../../src/destinations/destination.ts';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { startHttpServer } from '../../support/http-server.ts';
import {
  attempt,
  failure,
  fileTask,
  plainDestination,
  testClient,
  uploadFolder,
} from '../../support/upload-fixture.ts';

const MIB = 1024 * 1024;
const never = (): Promise<never> => new Promise(() => {});

/** Handles of this process that are open on files below a folder. */
function openHandles(root: string): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(join('/proc/self/fd', fd));
      } catch {
        return '';
      }
    })
    .filter((target) => target.startsWith(root));
}

test.each([
  ['small', 10],
  ['large', 32 * MIB],
])('a 413 before the body was read is delivered as an answer: %s file', async (_, size) => {
  const server = await startHttpServer((visit) => {
    if (visit.attempt === 1) visit.json(413, { error: 'too large' });
    else void visit.body().then(() => visit.json(200, { code: 0 }));
  });
  const { send } = testClient({ connectionsPerOrigin: 1 });
  const destination = plainDestination(`${server.origin}/`);
  const root = uploadFolder();
  const result = await attempt(fileTask(root, 'a.bin', Buffer.alloc(size)), destination, send);
  expect(result).toMatchObject({ kind: 'failed', failure: { code: '413', httpStatus: 413 }, requests: 1 });
  expect((await attempt(fileTask(root, 'b.bin', 'b'), destination, send)).kind).toBe('uploaded');
});

test.each([
  ['before the body', 32 * MIB, false],
  ['after the body', 100, true],
])('a connection reset %s is unavailable, and the next attempt gets through', async (_, size, afterBody) => {
  const server = await startHttpServer(async (visit) => {
    if (visit.attempt > 1 || afterBody) await visit.body();
    if (visit.attempt === 1) visit.request.socket.resetAndDestroy();
    else visit.json(200, { code: 0 });
  });
  const { send } = testClient({ connectionsPerOrigin: 1 });
  const destination = plainDestination(`${server.origin}/upload?signature=secret`);
  const task = fileTask(uploadFolder(), 'a.bin', randomBytes(size));
  const result = await attempt(task, destination, send);
  expect(result).toMatchObject({ kind: 'failed', failure: { kind: 'unavailable', code: 'connection' } });
  expect(JSON.stringify(result)).not.toMatch(/secret|only-for-tests/);
  expect((await attempt(task, destination, send)).kind).toBe('uploaded');
});

test('an answer that never comes is a time-out, and the connection is free again', async () => {
  const server = await startHttpServer(async (visit) => {
    await visit.body();
    if (visit.attempt > 1) visit.json(200, { code: 0 });
  });
  const { send } = testClient({ connectionsPerOrigin: 1, responseTimeoutMs: 1_000 });
  const destination = plainDestination(`${server.origin}/`);
  const task = fileTask(uploadFolder(), 'a.txt', 'a');
  expect(await attempt(task, destination, send)).toMatchObject({
    kind: 'failed',
    failure: {
      kind: 'unavailable',
      code: 'timeout',
      message: expect.stringContaining('waiting for the answer'),
    },
  });
  expect((await attempt(task, destination, send)).kind).toBe('uploaded');
});

test('a far side that stops reading is a time-out of the sending', async () => {
  const server = await startHttpServer(never);
  const { send } = testClient({ idleTimeoutMs: 200 });
  const task = fileTask(uploadFolder(), 'a.bin', Buffer.alloc(48 * MIB));
  expect(await attempt(task, plainDestination(`${server.origin}/`), send)).toMatchObject({
    kind: 'failed',
    failure: { code: 'timeout', message: expect.stringContaining('sending') },
  });
});

test('an answer that is too large is cut off', async () => {
  const server = await startHttpServer(async ({ request, response, body }) => {
    await body();
    if (request.url === '/announced') response.setHeader('content-length', 9 * MIB);
    response.write(Buffer.alloc(9 * MIB, 'x'));
  });
  const { send } = testClient();
  const task = fileTask(uploadFolder(), 'a.txt', 'a');
  for (const path of ['/announced', '/endless']) {
    const result = await attempt(task, plainDestination(`${server.origin}${path}`), send);
    expect(result).toMatchObject({
      kind: 'failed',
      failure: { kind: 'unavailable', code: 'answer_too_large' },
    });
  }
});

test('a page of HTML reaches the judge as it is', async () => {
  const server = await startHttpServer(async ({ body, response }) => {
    await body();
    response.writeHead(502, { 'content-type': 'text/html', 'set-cookie': ['a=1', 'b=2'] });
    response.end('<h1>网关错误</h1>');
  });
  const answers: Answer[] = [];
  const destination = plainDestination(`${server.origin}/`, {
    judge: (answer) => {
      answers.push(answer);
      return { kind: 'failed', failure: failure({ kind: 'unavailable', code: 'bad_answer' }) };
    },
  });
  await attempt(fileTask(uploadFolder(), 'a.txt', 'a'), destination, testClient().send);
  expect(answers).toEqual([
    expect.objectContaining({
      status: 502,
      body: '<h1>网关错误</h1>',
      headers: expect.objectContaining({ 'set-cookie': 'a=1, b=2' }),
    }),
  ]);
});

test('a redirect is not followed, so no credential reaches another host', async () => {
  const other = await startHttpServer((visit) => visit.json(200, { code: 0 }));
  const server = await startHttpServer(async ({ body, response }) => {
    await body();
    response.writeHead(307, { location: `${other.origin}/` });
    response.end();
  });
  const task = fileTask(uploadFolder(), 'a.txt', 'a');
  const result = await attempt(task, plainDestination(`${server.origin}/`), testClient().send);
  expect(result).toMatchObject({ kind: 'failed', failure: { httpStatus: 307 } });
  expect(other.visits()).toBe(0);
});

test.skipIf(process.platform !== 'linux')('an abort closes the file and frees the connection', async () => {
  const server = await startHttpServer(async (visit) => {
    if (visit.attempt === 1) await never();
    await visit.body();
    visit.json(200, { code: 0 });
  });
  const { send } = testClient({ connectionsPerOrigin: 1 });
  const destination = plainDestination(`${server.origin}/`);
  const root = uploadFolder();
  const stop = new AbortController();
  const upload = attempt(fileTask(root, 'a.bin', Buffer.alloc(48 * MIB)), destination, send, {
    signal: stop.signal,
  });
  await vi.waitFor(() => expect(server.visits()).toBe(1), 15_000);
  expect(openHandles(root)).toHaveLength(1);
  stop.abort(new Error('shutdown'));
  expect(await upload).toEqual({ kind: 'aborted' });
  await vi.waitFor(() => expect(openHandles(root)).toEqual([]), 15_000);
  expect((await attempt(fileTask(root, 'b.bin', Buffer.alloc(2 * MIB)), destination, send)).kind).toBe(
    'uploaded',
  );
});

test.skipIf(process.platform !== 'linux')(
  'an upload that waits for a connection aborts at once and leaves nothing open',
  async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const server = await startHttpServer(async (visit) => {
      await visit.body();
      if (visit.attempt === 1) await held;
      visit.json(200, { code: 0 });
    });
    const { send } = testClient({ connectionsPerOrigin: 1 });
    const destination = plainDestination(`${server.origin}/`);
    const root = uploadFolder();
    const first = attempt(fileTask(root, 'a.txt', 'a'), destination, send);
    await vi.waitFor(() => expect(server.visits()).toBe(1), 15_000);
    const stop = new AbortController();
    const second = attempt(fileTask(root, 'b.bin', Buffer.alloc(2 * MIB)), destination, send, {
      signal: stop.signal,
    });
    await vi.waitFor(() => expect(openHandles(root)).toHaveLength(1), 15_000);
    stop.abort();
    // The only connection is still held: the abort did not wait for it.
    expect(await second).toEqual({ kind: 'aborted' });
    await vi.waitFor(() => expect(openHandles(root)).toEqual([]), 15_000);
    release();
    expect((await first).kind).toBe('uploaded');
    expect((await attempt(fileTask(root, 'c.txt', 'c'), destination, send)).kind).toBe('uploaded');
    expect(server.visits()).toBe(2);
  },
);

test.each([
  ['token_service_unreachable', 'unavailable'],
  ['token_service_refused', 'misconfigured'],
  ['token_missing', 'misconfigured'],
] as const)('%s from the token service is a failure of kind %s without a request', async (code, kind) => {
  const authorize = async (): Promise<PreparedRequest> => {
    throw new SlipwayError(code, { where: 'http://127.0.0.1:18432', reason: 'ECONNREFUSED', status: 500 });
  };
  const destination = plainDestination('http://127.0.0.1:1/', { authorize });
  const result = await attempt(fileTask(uploadFolder(), 'a.txt', 'a'), destination, testClient().send);
  expect(result).toMatchObject({ kind: 'failed', failure: { kind, code, retryAfterMs: null }, requests: 0 });
});

test('a defect is a failure of one line, never a crash', async () => {
  const destination = plainDestination('http://127.0.0.1:1/', {
    authorize: async () => {
      throw new TypeError('line one\nline two');
    },
  });
  const result = await attempt(fileTask(uploadFolder(), 'a.txt', 'a'), destination, testClient().send);
  expect(result).toMatchObject({
    kind: 'failed',
    failure: { kind: 'unavailable', code: 'internal', message: 'unexpected: line one line two' },
  });
});
