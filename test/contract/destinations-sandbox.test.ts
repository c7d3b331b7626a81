import { expect, onTestFinished, test } from 'vitest';
import { type OpenDestination, openDestination } from '../../src/destinations/open-destination.ts';
import type { SendGet } from '../../src/destinations/readiness-port.ts';
import { silentLog } from '../../src/domain/log.ts';
import { directUploader } from '../../src/operations/upload/direct-upload.ts';
import { concurrencySchema } from '../../src/pacing/options.ts';
import type { HttpClient } from '../../src/platform/http/http-client.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { retrySchema } from '../../src/upload/options.ts';
import { definitionOf } from '../support/destination-definitions.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { attempt, fileTask, testClient, uploadFolder } from '../support/upload-fixture.ts';

/** Where each preset with a stand-in is found on the sandbox, with whatever else a user would set. */
const AT: Readonly<Record<string, (sandbox: Sandbox) => object>> = {
  autoglm: ({ autoglmUrl, tokenUrl }) => ({ url: autoglmUrl, token: { url: tokenUrl } }),
  vectorx: ({ vectorxUrl }) => ({ url: vectorxUrl }),
  dashscope: ({ dashscopeBase }) => ({ params: { base: dashscopeBase } }),
  openai: ({ openaiBase }) => ({ params: { base: openaiBase } }),
};

function open(preset: string, sandbox: Sandbox, client: HttpClient, overrides: object = {}): OpenDestination {
  const definition = definitionOf(preset, { ...AT[preset]?.(sandbox), ...overrides });
  const env = { DASHSCOPE_API_KEY: 'sk-dashscope', OPENAI_API_KEY: 'sk-openai' };
  return openDestination(definition, {
    fetchText: client.fetchText,
    log: silentLog,
    now: Date.now,
    random: Math.random,
    env,
  });
}

test.each([
  [
    'autoglm',
    {
      url: expect.stringMatching(/^https:\/\/autoglm-agent\.aminer\.cn\/auto_fly\/.*\/%E7%AC%AC%20%231\.md$/),
    },
  ],
  ['vectorx', { url: null, ref: expect.stringMatching(/^fileid:\/\/file-fe-/) }],
  ['dashscope', { url: null, ref: expect.stringMatching(/^fileid:\/\/file-fe-/) }],
  ['openai', { url: null, ref: expect.stringMatching(/^file-/) }],
])('the %s preset uploads to a server as strict as the real one', async (preset, accepted) => {
  const sandbox = await sandboxForTest();
  const client = testClient();
  const task = fileTask(uploadFolder(), '第 #1.md', 'some text');
  const result = await attempt(task, open(preset, sandbox, client), client.send);
  expect(result).toMatchObject({ kind: 'uploaded', accepted, requests: 1 });
  expect(sandbox.summary().count).toBe(1);
});

test('200 files at 16 at once reach AutoGLM while every token dies after 7 uses: no failure, no attempt spent', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: 'token', uses: 7 }] });
  const client = testClient({ connectionsPerOrigin: 16 });
  let reading = 0;
  let readings = 0;
  let mostReading = 0;
  const counting: HttpClient = {
    ...client,
    async fetchText(url, options) {
      readings += 1;
      reading += 1;
      mostReading = Math.max(mostReading, reading);
      try {
        return await client.fetchText(url, options);
      } finally {
        reading -= 1;
      }
    },
  };
  const direct = directUploader({
    destination: open('autoglm', sandbox, counting),
    concurrency: concurrencySchema.parse({ initial: 16, max: 16, adaptive: false }),
    // Nobody waits long for the next token: what is tested is that nobody pays for it.
    retry: { ...retrySchema.parse(undefined), baseDelay: 1, maxDelay: 2 },
    send: client.send,
    log: silentLog,
  });
  onTestFinished(() => direct.close());
  const folder = uploadFolder();
  const never = new AbortController().signal;
  const results = await Promise.all(
    Array.from({ length: 200 }, (_, index) => {
      const { size, mtimeNs } = fileTask(folder, `${index}.txt`, `file ${index}`);
      const fileName = Buffer.from(`${index}.txt`);
      return direct.upload({ folder, fileName, shown: fileName, size, mtimeNs }, never);
    }),
  );
  expect(new Set(results.map(({ receipt }) => `${receipt.status} ${receipt.attempts}`))).toEqual(
    new Set(['uploaded 1']),
  );
  expect(sandbox.summary()).toMatchObject({ count: 200, repeated: 0 });
  expect(readings).toBeGreaterThanOrEqual(Math.floor(200 / 7));
  expect(mostReading).toBe(1);
});

test('an hour of clock difference is mended within one attempt', async () => {
  const sandbox = await sandboxForTest({ now: () => Date.now() + 3_600_000 });
  const client = testClient();
  const task = fileTask(uploadFolder(), 'a.txt', 'a');
  const result = await attempt(task, open('autoglm', sandbox, client), client.send);
  expect(result).toMatchObject({ kind: 'uploaded', requests: 2 });
});

test('revoked tokens are replaced within one attempt, and credentials that stay wrong stop the destination', async () => {
  const sandbox = await sandboxForTest();
  const client = testClient();
  const destination = open('autoglm', sandbox, client);
  const folder = uploadFolder();
  await attempt(fileTask(folder, 'a.txt', 'a'), destination, client.send);
  sandbox.revokeTokens();
  const second = await attempt(fileTask(folder, 'b.txt', 'b'), destination, client.send);
  expect(second).toMatchObject({ kind: 'uploaded', requests: 2 });
  sandbox.addFaults([{ api: 'autoglm', action: 'code', code: 400000 }]);
  const third = await attempt(fileTask(folder, 'c.txt', 'c'), destination, client.send);
  expect(third).toMatchObject({ failure: { kind: 'misconfigured', code: 'token_refused' }, requests: 3 });
});

test.each(['bearer', 'bare', 'json-string', 'object', 'nested-object'] as const)(
  'the token service may answer in the form %s',
  async (form) => {
    const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: 'token', form, padded: true }] });
    const client = testClient();
    const task = fileTask(uploadFolder(), 'a.txt', 'a');
    expect(await attempt(task, open('autoglm', sandbox, client), client.send)).toMatchObject({
      kind: 'uploaded',
    });
  },
);

test.each([
  ['500', 'unavailable', 'token_service_unreachable'],
  ['401', 'misconfigured', 'token_service_refused'],
  ['empty', 'misconfigured', 'token_empty'],
] as const)('a token service that answers %s is %s', async (action, kind, code) => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action }] });
  const client = testClient();
  const task = fileTask(uploadFolder(), 'a.txt', 'a');
  const result = await attempt(task, open('autoglm', sandbox, client), client.send);
  expect(result).toMatchObject({ kind: 'failed', failure: { kind, code } });
});

test('a DashScope file is looked at until it can be used', async () => {
  let nowMs = Date.now();
  const sandbox = await sandboxForTest({ processingMs: 60_000, now: () => nowMs });
  const client = testClient();
  const destination = open('dashscope', sandbox, client, { waitUntilReady: true });
  const { readiness } = destination;
  const result = await attempt(fileTask(uploadFolder(), 'a.txt', 'a'), destination, client.send);
  if (result.kind !== 'uploaded' || readiness === null)
    throw new Error(`not uploaded: ${JSON.stringify(result)}`);
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
  const signal = new AbortController().signal;
  const look = () => readiness.poll(result.accepted.fileId ?? '', get, signal);
  expect(await look()).toBe('pending');
  nowMs += 60_000;
  expect(await look()).toBe('ready');
});

test('what DashScope would refuse by its form is refused before anything is sent', async () => {
  const sandbox = await sandboxForTest();
  const client = testClient();
  const task = fileTask(uploadFolder(), 'a.exe', 'MZ');
  const result = await attempt(task, open('dashscope', sandbox, client), client.send);
  expect(result).toMatchObject({ kind: 'skipped', code: 'type' });
  expect(sandbox.summary().count).toBe(0);
});
