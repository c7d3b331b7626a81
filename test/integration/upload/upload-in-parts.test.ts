import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, unlinkSync, utimesSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { type OpenDestination, openDestination } from '../../../src/destinations/open-destination.ts';
import { silentLog } from '../../../src/domain/log.ts';
import type { HttpRequest } from '../../../src/platform/http/http-message.ts';
import type { Sandbox } from '../../../src/sandbox/open-sandbox.ts';
import type { SandboxOptions } from '../../../src/sandbox/options.ts';
import type { FaultRuleInput } from '../../../src/sandbox/trouble/fault-rule.ts';
import type { HttpSend } from '../../../src/upload/attempt/upload-file.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { attempt, fileTask, taskOf, testClient, uploadFolder } from '../../support/upload-fixture.ts';

/** How long the upload wanted to wait before it tried something again; here nobody waits. */
const waits: number[] = [];
vi.mock('../../../src/platform/waiting/abort.ts', async (original) => ({
  ...(await original<typeof import('../../../src/platform/waiting/abort.ts')>()),
  sleep: async (delayMs: number) => void waits.push(delayMs),
}));
beforeEach(() => {
  waits.length = 0;
});

const KIB = 1024;
const PART = 300 * KIB;
/** Three whole parts and an odd end. */
const content = randomBytes(3 * PART + 17);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const SMALL = {
  above: PART,
  maxBytes: 40 * PART,
  partBytes: PART,
  atOnce: 2,
  create: { url: '{base}/uploads', numbers: ['expires_after[seconds]'], id: '/id' },
  part: { url: '{base}/uploads/{upload}/parts', id: '/id' },
  complete: { url: '{base}/uploads/{upload}/complete', partIds: 'part_ids', md5: 'md5', file: '/file' },
  cancel: { url: '{base}/uploads/{upload}/cancel' },
};

/** The openai preset with small parts, towards a base address. */
function openaiAt(base: string, parts: object = {}, overrides: object = {}): OpenDestination {
  const { fetchText } = testClient();
  const definition = definitionOf('openai', {
    params: { base },
    parts: { ...SMALL, ...parts },
    ...overrides,
  });
  const env = { OPENAI_API_KEY: 'sk-only-for-tests' };
  const destination = openDestination(definition, {
    fetchText,
    log: silentLog,
    now: Date.now,
    random: Math.random,
    env,
  });
  onTestFinished(() => destination.close());
  return destination;
}

/** A client that notes which calls were made; `before` may interfere with one. */
function noting(
  before: (step: string, nth: number) => void = () => {},
  timeouts: Parameters<typeof testClient>[0] = {},
) {
  const client = testClient({ connectionsPerOrigin: 8, ...timeouts });
  const requests: HttpRequest[] = [];
  const steps: string[] = [];
  const answers: string[] = [];
  let underWay = 0;
  let most = 0;
  const send: HttpSend = async (request) => {
    const step = new URL(request.url).pathname.split('/').at(-1) ?? '';
    requests.push(request);
    steps.push(step);
    before(step, steps.filter((other) => other === step).length);
    underWay += 1;
    most = Math.max(most, underWay);
    try {
      const answer = await client.send(request);
      answers.push(`${step} ${answer.status}`);
      return answer;
    } finally {
      underWay -= 1;
    }
  };
  return { send, steps, requests, answers, mostAtOnce: () => most };
}

async function rig(faults: FaultRuleInput[] = [], options: SandboxOptions = {}) {
  const sandbox = await sandboxForTest({ faults, limits: { openaiMaxPartBytes: PART }, ...options });
  const root = uploadFolder();
  const task = fileTask(root, 'big.pdf', content);
  utimesSync(join(root, 'big.pdf'), 1_700_000_000, 1_700_000_000);
  return { sandbox, root, path: join(root, 'big.pdf'), task: { ...task, ...taskOf(root, 'big.pdf') } };
}

const stored = (sandbox: Sandbox) => sandbox.received().map(({ sha256, filename }) => ({ sha256, filename }));

test('a file above the threshold is announced, sent in parts, put together and cited like any other', async () => {
  const { sandbox, task } = await rig();
  const { send, steps, requests, mostAtOnce } = noting();
  const destination = openaiAt(
    sandbox.openaiBase,
    {},
    { fields: { 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': 3600 } },
  );
  const result = await attempt(task, destination, send);
  expect(steps).toEqual(['uploads', 'parts', 'parts', 'parts', 'parts', 'complete']);
  const [received] = sandbox.received();
  expect(received).toMatchObject({
    filename: 'big.pdf',
    contentType: 'application/pdf',
    bytes: content.length,
    sha256: sha256(content),
    fields: {
      purpose: 'user_data',
      'expires_after[anchor]': 'created_at',
      'expires_after[seconds]': '3600',
    },
  });
  expect(result).toMatchObject({
    kind: 'uploaded',
    accepted: { fileId: received?.id, ref: received?.id, url: null, expiresAt: expect.stringMatching(/^20/) },
    bytes: content.length,
    sha256: sha256(content),
    contentType: 'application/pdf',
    requests: 1,
  });
  expect(mostAtOnce()).toBe(2);
  for (const { headers } of requests) expect(headers.Authorization).toBe('Bearer sk-only-for-tests');
});

test('a part is a stream of small chunks of exact length, so that a file of any size takes the same memory', async () => {
  const { sandbox, root } = await rig([], { limits: { openaiMaxPartBytes: 20 * PART } });
  const { send } = noting();
  let largest = 0;
  const measuring: HttpSend = (request) => {
    const { body } = request;
    if (body === null || Buffer.isBuffer(body)) return send(request);
    const measured = async function* () {
      for await (const chunk of body) {
        largest = Math.max(largest, chunk.length);
        yield chunk;
      }
    };
    return send({ ...request, body: measured() });
  };
  const task = fileTask(root, 'huge.bin', Buffer.alloc(39 * PART, 'x'));
  const destination = openaiAt(sandbox.openaiBase, { partBytes: 20 * PART });
  expect(await attempt(task, destination, measuring)).toMatchObject({ kind: 'uploaded' });
  expect(largest).toBeLessThanOrEqual(512 * KIB);
});

test('the threshold itself still goes in one request, and the limit of parts is the limit', async () => {
  const { sandbox, root } = await rig();
  const { send, steps } = noting();
  const destination = openaiAt(sandbox.openaiBase);
  const sizes = async (size: number) =>
    (await attempt(fileTask(root, `${size}.txt`, Buffer.alloc(size)), destination, send)).kind;
  expect(await sizes(PART)).toBe('uploaded');
  expect(steps).toEqual(['files']);
  expect(await sizes(PART + 1)).toBe('uploaded');
  expect(steps).toEqual(['files', 'uploads', 'parts', 'parts', 'complete']);
  expect(await attempt(fileTask(root, 'x', Buffer.alloc(40 * PART + 1)), destination, send)).toMatchObject({
    kind: 'skipped',
    code: 'too_large',
  });
});

test('a name is announced exactly as it is, for JSON needs no escaping of its own', async () => {
  const { sandbox, root } = await rig();
  const name = 'say "hi"\r\n第一课🙂.pdf';
  const result = await attempt(fileTask(root, name, content), openaiAt(sandbox.openaiBase), noting().send);
  expect(result.kind).toBe('uploaded');
  expect(sandbox.received()[0]?.filename).toBe(name);
});

test.each<[string, FaultRuleInput]>([
  ['answers 503 once', { action: '503', times: 1 }],
  ['breaks the connection once', { action: 'reset-after-body', times: 1 }],
  ['loses an answer after storing', { action: 'store-then-reset', times: 1 }],
  ['asks to slow down', { action: '429', retryAfter: 3, times: 1 }],
  ['refuses the token now and then', { action: '401', every: 2 }],
])('a far side that %s in the middle gets that part again, and only that', async (_, fault) => {
  const { sandbox, task } = await rig([{ ...fault, api: 'openai', operation: 'add-part', after: 1 }]);
  const { send, steps } = noting();
  const result = await attempt(task, openaiAt(sandbox.openaiBase), send);
  expect(result).toMatchObject({ kind: 'uploaded', sha256: sha256(content) });
  expect(steps.filter((step) => step === 'uploads')).toHaveLength(1);
  expect(steps.filter((step) => step === 'parts').length).toBeGreaterThan(4);
  expect(stored(sandbox)).toEqual([{ sha256: sha256(content), filename: 'big.pdf' }]);
  expect(waits).toEqual(fault.action === '401' ? [] : [fault.action === '429' ? 3000 : 500]);
});

test.each<[string, FaultRuleInput, object]>([
  ['refused', { action: 'code', code: 'bad', status: 400 }, { kind: 'rejected' }],
  ['unavailable for good', { action: '500' }, { kind: 'unavailable', httpStatus: 500 }],
  [
    'told to wait for an hour',
    { action: '429', retryAfter: 3600 },
    { kind: 'throttled', retryAfterMs: 3_600_000 },
  ],
  ['out of quota', { action: 'code', code: 'insufficient_quota' }, { kind: 'exhausted' }],
])('a file whose part is %s is given up: cancelled there, nothing stored', async (_, fault, failure) => {
  const { sandbox, task } = await rig([{ ...fault, api: 'openai', operation: 'add-part', after: 1 }]);
  const { send, steps, answers } = noting();
  const destination = openaiAt(sandbox.openaiBase);
  expect(await attempt(task, destination, send)).toMatchObject({ kind: 'failed', failure, requests: 1 });
  expect(steps).not.toContain('complete');
  expect(answers.at(-1)).toBe('cancel 200');
  expect(stored(sandbox)).toEqual([]);

  sandbox.clearFaults();
  expect(await attempt(task, destination, send)).toMatchObject({ kind: 'uploaded' });
  expect(stored(sandbox)).toHaveLength(1);
});

test('an announcement that is refused ends the attempt with nothing to cancel', async () => {
  const { sandbox, task } = await rig([{ api: 'openai', operation: 'create-upload', action: '503' }]);
  const { send, steps } = noting();
  expect(await attempt(task, openaiAt(sandbox.openaiBase), send)).toMatchObject({
    kind: 'failed',
    failure: { kind: 'unavailable', httpStatus: 503 },
  });
  expect(steps).toEqual(['uploads']);
});

test('an abort ends every part at once and cancels what was begun', async () => {
  const { sandbox, task } = await rig([{ api: 'openai', operation: 'add-part', action: 'hang' }]);
  const { send, steps, answers } = noting();
  const stop = new AbortController();
  const upload = attempt(task, openaiAt(sandbox.openaiBase), send, { signal: stop.signal });
  await vi.waitFor(() => expect(steps).toEqual(['uploads', 'parts', 'parts']), 15_000);
  stop.abort(new Error('shutdown'));
  expect(await upload).toEqual({ kind: 'aborted' });
  expect(answers.at(-1)).toBe('cancel 200');
});

test('what a crash left half-way is not gone on with: the file is sent anew, whole', async () => {
  const { sandbox, task } = await rig([{ api: 'openai', operation: 'add-part', action: 'hang' }]);
  // Nobody ends this one, and it ends nothing: its process is gone as far as anyone can tell.
  const crashed = noting(undefined, { responseTimeoutMs: 600_000, idleTimeoutMs: 600_000 });
  void attempt(task, openaiAt(sandbox.openaiBase), crashed.send);
  // As many as it sends at once hang at the server: no other part follows.
  await vi.waitFor(() => expect(sandbox.summary().faults.hang).toBe(SMALL.atOnce));
  sandbox.clearFaults();
  const { send, steps } = noting();
  expect(await attempt(task, openaiAt(sandbox.openaiBase), send)).toMatchObject({ kind: 'uploaded' });
  expect(steps).toEqual(['uploads', 'parts', 'parts', 'parts', 'parts', 'complete']);
  expect(stored(sandbox)).toEqual([{ sha256: sha256(content), filename: 'big.pdf' }]);
});

function overwrite(path: string, position: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, 'changed', position);
  closeSync(fd);
}

test.each<[string, string, string, number, (path: string) => void]>([
  ['rewritten while its second part goes out', 'changed', 'parts', 2, (path) => overwrite(path, 0)],
  ['deleted while its second part goes out', 'vanished', 'parts', 2, unlinkSync],
  [
    'changed in a part under way, with its old mtime put back',
    'changed',
    'parts',
    4,
    (path) => {
      overwrite(path, 3 * PART + 1);
      utimesSync(path, 1_700_000_000, 1_700_000_000);
    },
  ],
])('a file that is %s is never put together', async (_, code, step, nth, change) => {
  const { sandbox, task, path } = await rig();
  const { send, steps, answers } = noting((made, count) => {
    if (made === step && count === nth) change(path);
  });
  const result = await attempt(task, openaiAt(sandbox.openaiBase), send);
  expect(result).toMatchObject({ kind: 'skipped', code, requests: 1 });
  expect(steps).not.toContain('complete');
  expect(answers.at(-1)).toBe('cancel 200');
  expect(stored(sandbox)).toEqual([]);
});

test('a file that changes after its last byte was sent is not put together either', async () => {
  const { sandbox, task, path } = await rig();
  const { send, answers } = noting();
  let parts = 0;
  const changing: HttpSend = async (request) => {
    const answer = await send(request);
    if (request.url.endsWith('/parts')) parts += 1;
    if (parts === 4) overwrite(path, 0);
    return answer;
  };
  expect(await attempt(task, openaiAt(sandbox.openaiBase), changing)).toMatchObject({
    kind: 'skipped',
    code: 'changed',
  });
  expect(answers.at(-1)).toBe('cancel 200');
});

test('a file that had changed before is not even announced', async () => {
  const { sandbox, task, path } = await rig();
  overwrite(path, 0);
  const { send, steps } = noting();
  expect(await attempt(task, openaiAt(sandbox.openaiBase), send)).toMatchObject({
    kind: 'skipped',
    code: 'changed',
    requests: 0,
  });
  expect(steps).toEqual([]);
});

test('a lost answer to the last call is trouble of the network, not a refusal of the file', async () => {
  const { sandbox, task } = await rig([
    { api: 'openai', operation: 'complete-upload', action: 'store-then-reset', times: 1 },
  ]);
  const { send, steps } = noting();
  // The second try is answered with 400: the upload is completed already.
  expect(await attempt(task, openaiAt(sandbox.openaiBase), send)).toMatchObject({
    kind: 'failed',
    failure: { kind: 'unavailable', code: 'connection' },
  });
  expect(steps.filter((step) => step === 'complete')).toHaveLength(2);
});

test('a busy far side is asked again to put the parts together', async () => {
  const { sandbox, task } = await rig([
    { api: 'openai', operation: 'complete-upload', action: '429', times: 2 },
  ]);
  expect(await attempt(task, openaiAt(sandbox.openaiBase), noting().send)).toMatchObject({
    kind: 'uploaded',
  });
  expect(waits).toEqual([500, 1000]);
});

test('a file too slow for the lifetime of an upload is tried again later, not refused', async () => {
  const { sandbox, task } = await rig();
  const { send, answers } = noting();
  const destination = openaiAt(sandbox.openaiBase, { lifetime: '1ms' });
  expect(await attempt(task, destination, send)).toMatchObject({
    kind: 'failed',
    failure: { kind: 'unavailable', code: 'parts_expired', message: expect.stringContaining('1ms') },
  });
  expect(answers.at(-1)).toBe('cancel 200');
});

test.each<[string, (step: string) => unknown]>([
  ['an announcement without an id', () => ({ object: 'upload' })],
  ['a part without an id', (step) => (step === 'parts' ? {} : { id: 'upload_1' })],
  ['a completion without a file', () => ({ id: 'upload_1', status: 'completed', file: null })],
])('%s is no success', async (_, answerTo) => {
  const server = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(200, answerTo(visit.request.url?.split('/').at(-1) ?? ''));
  });
  const { task } = await rig();
  expect(await attempt(task, openaiAt(`${server.origin}/v1`), noting().send)).toMatchObject({
    kind: 'failed',
    failure: { kind: 'unavailable', code: 'bad_answer' },
  });
});

test('a part that is accepted before it was whole is no success', async () => {
  const server = await startHttpServer(async (visit) => {
    if (visit.request.url?.endsWith('/parts') !== true) await visit.body();
    visit.json(200, { id: 'x', file: { id: 'file-x' } });
  });
  const { root } = await rig();
  const task = fileTask(root, 'big.bin', Buffer.alloc(39 * PART));
  const destination = openaiAt(`${server.origin}/v1`, { partBytes: 39 * PART, above: 0 });
  expect(await attempt(task, destination, noting().send)).toMatchObject({ kind: 'failed' });
});
