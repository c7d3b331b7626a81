import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { deadLetterKinds } from '../../src/operations/failed/dead-letters.ts';
import { lookUp } from '../../src/operations/inspect/lookup.ts';
import { traceFile } from '../../src/operations/inspect/trace.ts';
import { knownSources } from '../../src/runtime/plans/known-sources.ts';
import { formOf, gatewayFolder, gatewayForTest, sandboxDestinations } from '../support/gateway.ts';
import { startHttpServer } from '../support/http-server.ts';
import { startTestRedis, type TestRedis } from '../support/redis-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { SECRET, startReceiver } from '../support/webhook-receiver.ts';

let redis: TestRedis;
let prefixes = 0;

beforeAll(async () => {
  redis = await startTestRedis();
});

afterAll(async () => {
  await redis.close();
});

/** A Redis that all share, and keys of one's own. */
function ownRedis(): { readonly url: string; readonly prefix: string } {
  prefixes += 1;
  return { url: redis.socketPath, prefix: `test-${prefixes}` };
}

async function send(url: string, form: FormData, headers: Record<string, string> = {}) {
  const answer = await fetch(url, { method: 'POST', body: form, headers });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  };
}

async function get(url: string, method = 'GET') {
  const answer = await fetch(url, { method });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const file = { name: '报告.txt', content: 'what is sent later' };

test('a file for later is answered with 202 and an id of the door, which is followed to its end', async () => {
  const sandbox = await sandboxForTest();
  const door = await gatewayForTest({
    redis: ownRedis(),
    destinations: sandboxDestinations(sandbox),
    gateway: {
      routes: { '/later': { destination: 'agent', mode: 'queue' }, '/': { destination: 'openai' } },
    },
  });
  const taken = await send(`${door.url}/later/v1/files`, formOf(file));
  expect(taken).toMatchObject({
    status: 202,
    body: { object: 'file', filename: file.name, bytes: 18, status: 'uploaded', status_details: null },
  });
  const id = String(taken.body.id);
  expect(id).toMatch(/^file-[0-9a-f]{32}$/);
  expect(taken.headers.get('location')).toBe(`/later/v1/files/${id}`);
  await vi.waitFor(async () => {
    expect(await get(`${door.url}/later/v1/files/${id}`)).toMatchObject({
      status: 200,
      body: { id, status: 'processed', remote_id: expect.any(String), sha256: taken.body.sha256 },
    });
  });
  expect(door.receipts()).toMatchObject([
    { source: 'gateway', path: `${id}/${file.name}`, status: 'uploaded', meta: { purpose: 'file-extract' } },
  ]);
  expect((await get(`${door.url}/readyz`)).body).toMatchObject({ checks: { redis: 'ok' } });

  // One request may say otherwise than its route; the other shapes say the same in their words.
  expect((await send(`${door.url}/later/v1/files?mode=direct`, formOf(file))).status).toBe(200);
  expect(await send(`${door.url}/upload-openai-file?mode=queue`, formOf(file))).toMatchObject({
    status: 202,
    body: { code: 0, msg: 'success', data: { status: 'uploaded', filename: file.name } },
  });
  const mixed = await send(
    `${door.url}/agentdr/v1/assistant/upload-mix?mode=queue`,
    formOf(file, {}, 'files'),
  );
  expect(mixed).toMatchObject({
    status: 202,
    body: {
      code: 0,
      data: { oss_info: [{ filename: file.name, oss_name: expect.stringMatching(/^file-/) }] },
    },
  });
  await vi.waitFor(() => {
    expect(door.receipts()).toHaveLength(4);
    expect(door.accepted()).toEqual([]);
  });
  expect(door.incoming()).toEqual([]);
  expect(door.log.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
});

test('the official client waits for the end, and text fields of the caller go along', async () => {
  const purposes: string[] = [];
  const far = await startHttpServer(async (visit) => {
    purposes.push(/name="purpose"\r\n\r\n([^\r]*)/.exec((await visit.body()).toString())?.[1] ?? '');
    visit.json(200, { id: 'file-far', object: 'file', status: 'processed' });
  });
  const door = await gatewayForTest({
    redis: ownRedis(),
    destinations: { far: { preset: 'openai', params: { base: far.origin }, token: { env: 'API_KEY' } } },
    gateway: { routes: { '/': { destination: 'far', mode: 'queue' } } },
  });
  const client = new OpenAI({ apiKey: 'unused', baseURL: `${door.url}/v1` });
  const sent = await client.files.create({
    file: await toFile(Buffer.from('x'), 'a.jsonl'),
    purpose: 'batch',
  });
  expect(sent.status).toBe('uploaded');
  const ended = await client.files.waitForProcessing(sent.id, { pollInterval: 20 });
  expect(ended).toMatchObject({ id: sent.id, status: 'processed', purpose: 'batch', remote_id: 'file-far' });
  expect(purposes).toEqual(['batch']);
});

test('an outage is a 202 all the same, what waits cannot be deleted, and a key makes it one file', async () => {
  let isDown = true;
  const far = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(isDown ? 503 : 200, isDown ? {} : { code: 0, msg: 'success', data: { id: 'there' } });
  });
  const hook = await startReceiver();
  const redisOfThis = ownRedis();
  const door = await gatewayForTest({
    redis: redisOfThis,
    destinations: { far: { preset: 'vectorx', url: far.origin } },
    webhooks: [
      { name: 'told', sources: ['gateway'], url: hook.origin, secret: SECRET, events: ['file.uploaded'] },
    ],
    retry: { baseDelay: '20ms', maxDelay: '50ms' },
  });
  const key = { 'idempotency-key': 'order-1' };
  const first = await send(`${door.url}/v1/files?mode=queue`, formOf(file), key);
  const again = await send(`${door.url}/v1/files?mode=queue`, formOf(file), key);
  expect(first.status).toBe(202);
  expect(again).toMatchObject({ status: 202, body: first.body });
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(again.headers.get('location')).toBe(first.headers.get('location'));
  const own = `${door.url}${first.headers.get('location')}`;
  expect(await get(own)).toMatchObject({ body: { status: 'uploaded' } });
  expect(await get(own, 'DELETE')).toMatchObject({
    status: 409,
    body: { error: { code: 'file_not_processed', param: 'id' } },
  });
  const path = `${first.body.id}/${file.name}`;
  const place = { dataDir: door.dataDir, cwd: '/', log: silent };
  const sources = [{ name: 'gateway', plan: (await known(door.dataDir))[0]?.plan as never }];
  await vi.waitFor(async () => {
    const [trace] = await traceFile({
      ...{ ...place, path, sources, ownPaths: [], nowMs: Date.now() },
      redis: redisOfThis,
    });
    expect(trace).toMatchObject({ source: 'gateway', path, queue: [{ jobId: expect.any(String) }] });
  });
  isDown = false;
  await vi.waitFor(async () => expect((await get(own)).body.status).toBe('processed'));
  await vi.waitFor(() => expect(hook.arrived).toHaveLength(1));
  const found = [];
  for await (const receipt of lookUp({ ...place, query: String(first.body.id), sources, all: false }))
    found.push(receipt.path);
  expect(found).toEqual([path]);
  expect(door.receipts()).toHaveLength(1);
});

test('what has failed keeps its bytes until it is retried or discarded; a direct upload has none', async () => {
  const answers: Record<string, number> = {};
  const far = await startHttpServer(async (visit) => {
    const name = /filename="([^"]+)"/.exec((await visit.body()).toString())?.[1] ?? '';
    const refuses = name !== 'good.txt' && (answers[name] ?? 400) === 400;
    visit.json(
      refuses ? 400 : 200,
      refuses
        ? { error: { message: 'not this one', type: 'invalid_request_error', param: 'file', code: 'bad' } }
        : { id: name, object: 'file', status: 'processed' },
    );
  });
  const redisOfThis = ownRedis();
  const door = await gatewayForTest({
    redis: redisOfThis,
    destinations: { far: { preset: 'openai', params: { base: far.origin }, token: { env: 'API_KEY' } } },
  });
  const url = `${door.url}/v1/files`;
  // Before a success nobody knows whose fault a refusal is.
  await send(url, formOf({ name: 'good.txt', content: 'x' }));
  const taken = await send(`${url}?mode=queue`, formOf({ name: 'bad.txt', content: 'bad' }));
  const given = await send(`${url}?mode=queue`, formOf({ name: 'worse.txt', content: 'worse' }));
  await send(url, formOf({ name: 'direct.txt', content: 'direct' }));
  for (const { body } of [taken, given]) {
    await vi.waitFor(async () =>
      expect((await get(`${url}/${body.id}`)).body).toMatchObject({
        status: 'error',
        status_details: expect.stringContaining('not this one'),
      }),
    );
  }
  expect([...door.accepted()].sort()).toEqual([taken.body.id, given.body.id].sort());
  const [uploads] = deadLetterKinds({
    ...{ dataDir: door.dataDir, redis: redisOfThis, log: silent, sources: await known(door.dataDir) },
    config: { dataDir: door.dataDir, redis: redisOfThis, webhooks: [], sources: {} },
  });
  answers['bad.txt'] = 200;
  const retried = await uploads?.retry({ match: ['**/bad.txt', '**/direct.txt'], codes: [] });
  expect(retried).toMatchObject([
    {
      letters: 2,
      missing: 1,
      examples: [{ reason: expect.stringMatching(/bytes were not kept: send it to the gateway again/) }],
    },
  ]);
  await vi.waitFor(async () => expect((await get(`${url}/${taken.body.id}`)).body.status).toBe('processed'));
  expect(await uploads?.discard({ match: ['**/worse.txt'], codes: [] })).toMatchObject([{ letters: 1 }]);
  await vi.waitFor(() => expect(door.accepted()).toEqual([]));
  expect(door.receipts().filter(({ path }) => path.endsWith('bad.txt'))).toMatchObject([
    { gen: 0, status: 'failed' },
    { gen: 1, status: 'uploaded' },
  ]);
});

test('what was accepted is sent by the next start, and what nobody was told of is removed', async () => {
  let isDown = true;
  const far = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(isDown ? 503 : 200, isDown ? {} : { code: 0, msg: 'success', data: { id: 'there' } });
  });
  const folder = gatewayFolder();
  const config = { redis: ownRedis(), destinations: { far: { preset: 'vectorx', url: far.origin } } };
  const door = await gatewayForTest(config, {}, folder);
  const large = { name: 'large.bin', content: randomBytes(2_000_000) };
  const ids = [];
  for (const one of [file, large])
    ids.push((await send(`${door.url}/v1/files?mode=queue`, formOf(one))).body.id);
  await door.stop();
  writeFileSync(join(door.dataDir, 'gateway', 'accepted', 'half'), 'a kill came before its 202');
  isDown = false;
  const next = await gatewayForTest(config, {}, folder);
  for (const id of ids)
    await vi.waitFor(async () =>
      expect((await get(`${next.url}/v1/files/${id}`)).body.status).toBe('processed'),
    );
  await vi.waitFor(() => expect(next.accepted()).toEqual([]));
  expect(next.receipts()).toHaveLength(2);
});

test('without Redis a file for later is refused unread, and direct uploads go on', async () => {
  const sandbox = await sandboxForTest();
  const { agent } = sandboxDestinations(sandbox);
  const door = await gatewayForTest({
    redis: { url: '/nowhere/redis.sock' },
    destinations: { agent },
    spool: { maxBytes: 1_000_000 },
  });
  expect(await send(`${door.url}/v1/files?mode=queue`, formOf(file))).toMatchObject({
    status: 503,
    body: { error: { code: 'queue_unavailable' } },
  });
  expect((await send(`${door.url}/v1/files`, formOf(file))).status).toBe(200);
  expect(door.accepted()).toEqual([]);
});

test('Redis away: files are accepted and kept, direct uploads are recorded, and all end once it is back', async () => {
  const sandbox = await sandboxForTest();
  const { agent } = sandboxDestinations(sandbox);
  const server = await startTestRedis();
  try {
    const door = await gatewayForTest({
      redis: { url: server.socketPath },
      destinations: { agent },
    });
    const url = `${door.url}/v1/files`;
    await send(`${url}?mode=queue`, formOf(file));
    await vi.waitFor(() => expect(door.receipts()).toHaveLength(1));
    await server.kill();
    const taken = await send(`${url}?mode=queue`, formOf(file));
    expect(taken.status).toBe(202);
    expect((await send(url, formOf(file))).status).toBe(200);
    await vi.waitFor(() => expect(door.receipts()).toHaveLength(2));
    await server.start();
    await vi.waitFor(
      async () => expect((await get(`${url}/${taken.body.id}`)).body.status).toBe('processed'),
      { timeout: 45_000 },
    );
    expect(door.receipts()).toHaveLength(3);
    await door.stop();
  } finally {
    await server.close();
  }
});

test('a destination that is down is not asked again by those who wait before its next trial', async () => {
  const far = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(503, {});
  });
  const door = await gatewayForTest({
    redis: ownRedis(),
    destinations: { far: { preset: 'vectorx', url: far.origin } },
    gateway: { patience: '100ms' },
    retry: { baseDelay: '10ms', maxDelay: '20ms' },
  });
  for (let n = 0; n < 8; n += 1) await send(`${door.url}/v1/files?mode=queue`, formOf(file));
  const refused = await vi.waitFor(
    async () => {
      const answer = await send(`${door.url}/v1/files`, formOf(file));
      expect(answer.body).toMatchObject({ error: { code: 'destination_down' } });
      return answer;
    },
    { timeout: 45_000, interval: 20 },
  );
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  const mixed = await vi.waitFor(
    async () => {
      const answer = await send(`${door.url}/upload-openai-file`, formOf(file));
      expect(answer.status).toBe(503);
      return answer;
    },
    { timeout: 45_000, interval: 20 },
  );
  expect(mixed.body).toMatchObject({ code: 503 });
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function known(dataDir: string) {
  return await knownSources({ dataDir, sources: {} } as never);
}
