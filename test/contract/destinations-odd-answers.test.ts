import { Readable } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type OpenDestination, openDestination } from '../../src/destinations/open-destination.ts';
import type { SendGet } from '../../src/destinations/readiness-port.ts';
import { silentLog } from '../../src/domain/log.ts';
import type { HttpClient } from '../../src/platform/http/http-client.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import type { FaultRuleInput } from '../../src/sandbox/trouble/fault-rule.ts';
import { definitionOf } from '../support/destination-definitions.ts';
import { startHttpServer } from '../support/http-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { attempt, fileTask, testClient, uploadFolder } from '../support/upload-fixture.ts';

/** Where each preset with a sandbox API is found, and whose faults strike it. */
const PEERS = {
  autoglm: ({ autoglmUrl, tokenUrl }: Sandbox) => ({ url: autoglmUrl, token: { url: tokenUrl } }),
  vectorx: ({ vectorxUrl }: Sandbox) => ({ url: vectorxUrl, token: { env: 'KEY' } }),
  dashscope: ({ dashscopeBase }: Sandbox) => ({ params: { base: dashscopeBase }, token: { env: 'KEY' } }),
  openai: ({ openaiBase }: Sandbox) => ({ params: { base: openaiBase }, token: { env: 'KEY' } }),
};
type Peer = keyof typeof PEERS;
const NAMES: readonly Peer[] = ['autoglm', 'vectorx', 'dashscope', 'openai'];

function open(preset: Peer, sandbox: Sandbox, client: HttpClient, overrides: object = {}): OpenDestination {
  const destination = openDestination(definitionOf(preset, { ...PEERS[preset](sandbox), ...overrides }), {
    fetchText: client.fetchText,
    log: silentLog,
    now: Date.now,
    random: Math.random,
    env: { KEY: 'sk-only-for-tests' },
  });
  onTestFinished(() => destination.close());
  return destination;
}

const ODD: readonly (readonly [what: string, fault: FaultRuleInput, code: string])[] = [
  ['a page of HTML', { action: 'html' }, 'bad_answer'],
  ['an empty body', { action: 'empty' }, 'bad_answer'],
  ['truncated JSON', { action: 'truncated-json' }, 'bad_answer'],
  ['10 MB of JSON', { action: 'huge-json', bytes: 10_000_000 }, 'answer_too_large'],
];

/** One upload that goes well, one that is answered like this, and one that goes well: the connection is free again. */
async function betweenTwoFine(
  preset: Peer,
  fault: FaultRuleInput,
  code: string,
  responseTimeoutMs: number,
): Promise<void> {
  const sandbox = await sandboxForTest();
  // One connection, and a token that is read before anything goes wrong: what is left open would block all others.
  const client = testClient({ connectionsPerOrigin: 1, responseTimeoutMs });
  const destination = open(preset, sandbox, client);
  const folder = uploadFolder();
  expect((await attempt(fileTask(folder, 'a.txt', 'a'), destination, client.send)).kind).toBe('uploaded');

  sandbox.addFaults([{ ...fault, api: preset, operation: 'upload', times: 1 }]);
  const result = await attempt(fileTask(folder, 'b.txt', 'b'), destination, client.send);
  expect(result).toMatchObject({ kind: 'failed', failure: { kind: 'unavailable', code }, requests: 1 });
  if (result.kind === 'failed') expect(result.failure.message.length).toBeLessThan(500);
  expect(sandbox.summary().faults).toEqual({ [fault.action]: 1 });
  expect((await attempt(fileTask(folder, 'c.txt', 'c'), destination, client.send)).kind).toBe('uploaded');
  await vi.waitFor(() => expect(sandbox.summary().uploadsInFlight).toBe(0));
}

test.each(NAMES.flatMap((preset) => ODD.map(([what, fault, code]) => [preset, what, code, fault] as const)))(
  '%s answering %s is %s: counted, tried again, and the connection is free',
  (preset, _what, code, fault) => betweenTwoFine(preset, fault, code, 60_000),
);

test('none of them answering at all is a time-out: counted, tried again, and the connection is free', async () => {
  // Waited for once, by all together: long enough for a busy machine to answer the uploads before and after it.
  await Promise.all(NAMES.map((preset) => betweenTwoFine(preset, { action: 'hang' }, 'timeout', 4_000)));
});

test('a destination that says nothing, or never stops, holds up no other', async () => {
  const silent = await startHttpServer(() => new Promise(() => {}));
  let sent = 0;
  const endless = await startHttpServer(async ({ body, response }) => {
    await body();
    response.writeHead(200, { 'content-type': 'application/json' });
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const chunks = function* () {
      for (;;) {
        sent += chunk.length;
        yield chunk;
      }
    };
    Readable.from(chunks()).pipe(response);
  });
  const sandbox = await sandboxForTest();
  const client = testClient({ connectionsPerOrigin: 2, responseTimeoutMs: 60_000 });
  const folder = uploadFolder();
  const stop = new AbortController();
  const stuck = open('vectorx', sandbox, client, { url: `${silent.origin}/upload` });
  const waiting = ['1', '2', '3'].map((name) =>
    attempt(fileTask(folder, `s${name}.txt`, name), stuck, client.send, { signal: stop.signal }),
  );
  const flooding = open('vectorx', sandbox, client, { url: `${endless.origin}/upload` });
  const flooded = await Promise.all(
    ['1', '2', '3', '4'].map((name) =>
      attempt(fileTask(folder, `e${name}.txt`, name), flooding, client.send),
    ),
  );
  for (const result of flooded) expect(result).toMatchObject({ failure: { code: 'answer_too_large' } });
  // Four answers without end: what was taken is a few socket buffers each.
  expect(sent).toBeLessThan(4 * 24 * 1024 * 1024);

  const fine = open('openai', sandbox, client);
  for (const name of ['1', '2', '3'])
    expect((await attempt(fileTask(folder, `o${name}.txt`, name), fine, client.send)).kind).toBe('uploaded');
  stop.abort();
  expect(await Promise.all(waiting)).toEqual(Array(3).fill({ kind: 'aborted' }));
});

/** A host that must never hear from us, and what it heard. */
async function stranger() {
  const heard: string[] = [];
  const server = await startHttpServer((visit) => {
    heard.push(visit.request.headers.authorization ?? 'no credentials');
    visit.json(200, { code: 0, id: 'file-1', token: 'stolen' });
  });
  return { location: `${server.origin}/elsewhere`, heard };
}

test.each(NAMES.flatMap((preset) => [301, 302, 303, 307, 308].map((status) => [preset, status] as const)))(
  '%s redirecting an upload with %i is not followed, so no credential and no file goes elsewhere',
  async (preset, status) => {
    const { location, heard } = await stranger();
    const sandbox = await sandboxForTest({
      faults: [{ api: preset, operation: 'upload', action: 'redirect', location, status }],
    });
    const client = testClient();
    const task = fileTask(uploadFolder(), 'a.txt', 'a');
    const result = await attempt(task, open(preset, sandbox, client), client.send);
    expect(result).toMatchObject({ kind: 'failed', failure: { httpStatus: status } });
    expect(JSON.stringify(result)).not.toContain('sk-only-for-tests');
    expect(heard).toEqual([]);
  },
);

test('neither a look at a file, nor a reading of the token, nor a part of a file follows a redirect', async () => {
  const { location, heard } = await stranger();
  const sandbox = await sandboxForTest();
  const client = testClient();
  const folder = uploadFolder();
  const never = new AbortController().signal;

  const qwen = open('dashscope', sandbox, client, { waitUntilReady: true });
  const uploaded = await attempt(fileTask(folder, 'a.txt', 'a'), qwen, client.send);
  const fileId = uploaded.kind === 'uploaded' ? uploaded.accepted.fileId : null;
  sandbox.addFaults([{ action: 'redirect', location, status: 307 }]);
  const get: SendGet = ({ url, headers }, signal) =>
    client.send({
      method: 'GET',
      url,
      headers,
      body: null,
      contentLength: 0,
      signal,
      maxResponseBytes: 65_536,
    });
  expect(await qwen.readiness?.poll(fileId ?? '', get, never)).toMatchObject({
    message: expect.stringContaining('it redirects to'),
  });

  expect(
    await attempt(fileTask(folder, 'b.txt', 'b'), open('autoglm', sandbox, client), client.send),
  ).toMatchObject({
    kind: 'failed',
    failure: { code: expect.stringMatching(/^token_/) },
  });

  const parts = { above: 0, maxBytes: 100, partBytes: 4, create: { url: '{base}/uploads', id: '/id' } };
  const rest = {
    part: { url: '{base}/uploads/{upload}/parts', id: '/id' },
    complete: { url: '{base}/uploads/{upload}/complete', partIds: 'part_ids', file: '/file' },
  };
  const inParts = open('openai', sandbox, client, { parts: { ...parts, ...rest } });
  expect(await attempt(fileTask(folder, 'c.txt', 'some text'), inParts, client.send)).toMatchObject({
    kind: 'failed',
    failure: { httpStatus: 307 },
  });
  expect(heard).toEqual([]);
});
