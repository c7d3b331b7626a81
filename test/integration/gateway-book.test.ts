import OpenAI from 'openai';
import { expect, test, vi } from 'vitest';
import { formOf, gatewayFolder, gatewayForTest, sandboxDestinations } from '../support/gateway.ts';
import { startHttpServer } from '../support/http-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const file = { name: 'a.txt', content: 'hello' };

async function upload(url: string, form: FormData, headers: Record<string, string> = {}) {
  const answer = await fetch(url, { method: 'POST', body: form, headers });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  };
}

test('files of a destination without calls of its own are found under the door’s ids, after a restart too', async () => {
  const sandbox = await sandboxForTest();
  const folder = gatewayFolder();
  const config = { destinations: sandboxDestinations(sandbox) };
  const first = await gatewayForTest(config, {}, folder);
  const client = (url: string) =>
    new OpenAI({ apiKey: 'unused', baseURL: `${url}/autoglm/v1`, maxRetries: 0 });
  const ids: string[] = [];
  for (const name of ['one.txt', 'two.txt', 'three.txt']) {
    const purpose = name === 'two.txt' ? 'batch' : 'user_data';
    ids.push((await client(first.url).files.create({ file: new File([name], name), purpose })).id);
  }
  expect(await client(first.url).files.retrieve(ids[0] ?? '')).toMatchObject({
    filename: 'one.txt',
    status: 'processed',
    purpose: 'user_data',
    url: expect.stringContaining('http'),
  });
  await first.stop();

  const door = await gatewayForTest(config, {}, folder);
  const openai = client(door.url);
  const names = async (query: OpenAI.FileListParams) => {
    const found: string[] = [];
    for await (const { filename } of openai.files.list(query)) found.push(filename);
    return found;
  };
  expect(await names({ limit: 1 })).toEqual(['three.txt', 'two.txt', 'one.txt']);
  expect(await names({ limit: 2, order: 'asc' })).toEqual(['one.txt', 'two.txt', 'three.txt']);
  expect(await names({ purpose: 'batch' })).toEqual(['two.txt']);
  const page = await openai.files.list({ limit: 2 });
  expect({ more: page.has_more, ids: page.data.map(({ id }) => id) }).toEqual({
    more: true,
    ids: [ids[2], ids[1]],
  });
  expect(await openai.files.waitForProcessing(ids[1] ?? '', { pollInterval: 10 })).toMatchObject({
    id: ids[1],
  });
  await expect(openai.files.list({ after: 'file-nobody' })).rejects.toMatchObject({
    status: 400,
    param: 'after',
  });
  await expect(openai.files.retrieve('file-nobody')).rejects.toMatchObject({ status: 404, param: 'id' });
  await expect(openai.files.delete(ids[1] ?? '')).rejects.toMatchObject({
    status: 501,
    code: 'not_supported',
  });
  // Files of another destination are none of this one's.
  expect((await fetch(`${door.url}/agent/v1/files/${ids[0]}`)).status).toBe(404);
});

test('every upload leaves a receipt, with the caller and the request', async () => {
  const sandbox = await sandboxForTest();
  const { agent } = sandboxDestinations(sandbox);
  const door = await gatewayForTest(
    { destinations: { agent }, gateway: { keys: [{ name: 'team', env: 'K' }] } },
    { K: 'the-key' },
  );
  const headers = { authorization: 'Bearer the-key', 'x-request-id': 'r-1' };
  const told = await upload(`${door.url}/v1/files`, formOf(file), headers);
  await upload(`${door.url}/upload-openai-file`, formOf({ name: 'b.exe', content: 'x' }), headers);
  await vi.waitFor(() => expect(door.receipts()).toHaveLength(2));
  const [first, second] = door.receipts();
  expect(first).toMatchObject({
    v: 1,
    source: 'gateway',
    status: 'uploaded',
    path: `${told.body.id}/a.txt`,
    destination: 'agent',
    bytes: 5,
    sha256: told.body.sha256,
    meta: { key: 'team', request_id: 'r-1', purpose: 'file-extract' },
  });
  expect(second).toMatchObject({ status: 'failed', error: { kind: 'rejected' } });
  expect(JSON.stringify(door.receipts())).not.toContain('the-key');
});

test('a repeated request is answered once more and sent once only, also after a restart', async () => {
  const sandbox = await sandboxForTest();
  const folder = gatewayFolder();
  const { agent } = sandboxDestinations(sandbox);
  const first = await gatewayForTest({ destinations: { agent } }, {}, folder);
  const headers = { 'Idempotency-Key': 'order-4711' };
  const told = await upload(`${first.url}/v1/files`, formOf(file), headers);
  const again = await upload(`${first.url}/v1/files`, formOf(file), headers);
  expect(again.body).toEqual(told.body);
  expect([told, again].map((answer) => answer.headers.get('idempotency-replayed'))).toEqual([null, 'true']);
  await first.stop();
  const door = await gatewayForTest({ destinations: { agent } }, {}, folder);
  const later = await upload(`${door.url}/v1/files`, formOf(file), headers);
  expect(later.body).toEqual(told.body);
  expect(sandbox.received()).toHaveLength(1);
  const others = [
    formOf({ ...file, content: 'other' }),
    formOf({ ...file, name: 'b.txt' }),
    formOf(file, { purpose: 'batch' }),
  ];
  for (const form of others) {
    expect(await upload(`${door.url}/v1/files`, form, headers)).toMatchObject({
      status: 422,
      body: { error: { code: 'idempotency_key_reused' } },
    });
  }
  // The same key on another route, or without one, is another request.
  expect(
    (await upload(`${door.url}/agent/v1/files`, formOf(file), headers)).headers.get('idempotency-replayed'),
  ).toBeNull();
  expect(sandbox.received()).toHaveLength(2);
  for (const bad of ['', 'a b', 'x'.repeat(256), 'ä']) {
    const answer = await upload(`${door.url}/v1/files`, formOf(file), { 'Idempotency-Key': bad });
    expect([bad, answer.status]).toEqual([bad, 400]);
  }
});

test('a running request with the same key is told to wait; a lost client’s upload goes on for its repetition', async () => {
  const { promise: mayAnswer, resolve: answerNow } = Promise.withResolvers<void>();
  const far = await startHttpServer(async (visit) => {
    await visit.body();
    await mayAnswer;
    visit.json(200, {
      id: 'file-1',
      object: 'file',
      bytes: 5,
      created_at: 1,
      filename: 'a.txt',
      purpose: 'user_data',
    });
  });
  const door = await gatewayForTest({
    destinations: { far: { preset: 'openai', params: { base: far.origin }, token: { env: 'API_KEY' } } },
  });
  const headers = { 'Idempotency-Key': 'k' };
  const leaving = new AbortController();
  const lost = fetch(`${door.url}/v1/files`, {
    method: 'POST',
    body: formOf(file),
    headers,
    signal: leaving.signal,
  });
  lost.catch(() => undefined);
  await vi.waitFor(() => expect(far.visits()).toBe(1));
  const meanwhile = await upload(`${door.url}/v1/files`, formOf(file), headers);
  expect(meanwhile).toMatchObject({ status: 409, body: { error: { code: 'idempotency_key_in_use' } } });
  expect(meanwhile.headers.get('retry-after')).toBe('1');
  leaving.abort();
  await vi.waitFor(() =>
    expect(door.log.some(({ message }) => message === 'the client went away')).toBe(false),
  );
  answerNow();
  await vi.waitFor(async () => {
    const told = await upload(`${door.url}/v1/files`, formOf(file), headers);
    expect(told.status).toBe(200);
    expect(told.headers.get('idempotency-replayed')).toBe('true');
  });
  expect(far.visits()).toBe(1);
});

test('an outage is not kept for a repetition, a refusal is', async () => {
  let status = 503;
  const far = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(status, { error: { message: 'no', code: 'no' } });
  });
  const door = await gatewayForTest({
    destinations: { far: { preset: 'openai', params: { base: far.origin }, token: { env: 'API_KEY' } } },
    retry: { attempts: 1 },
  });
  const headers = { 'Idempotency-Key': 'k' };
  expect((await upload(`${door.url}/v1/files`, formOf(file), headers)).status).toBe(503);
  status = 400;
  expect((await upload(`${door.url}/v1/files`, formOf(file), headers)).status).toBe(400);
  status = 500;
  expect((await upload(`${door.url}/v1/files`, formOf(file), headers)).status).toBe(400);
  expect(far.visits()).toBe(2);
});

test('dedupe: content answers from the record where bytes, name and purpose are the same', async () => {
  const sandbox = await sandboxForTest();
  const { autoglm } = sandboxDestinations(sandbox);
  const door = await gatewayForTest({
    destinations: { autoglm },
    gateway: { routes: { '/': { dedupe: 'content' } } },
  });
  const told = await upload(`${door.url}/v1/files`, formOf(file, { purpose: 'p' }));
  await vi.waitFor(() => expect(door.receipts()).toHaveLength(1));
  const again = await upload(`${door.url}/v1/files`, formOf(file, { purpose: 'p' }));
  expect(again.body).toMatchObject({ id: told.body.id, url: told.body.url });
  expect(sandbox.received()).toHaveLength(1);
  await upload(`${door.url}/v1/files`, formOf(file, { purpose: 'q' }));
  await upload(`${door.url}/v1/files`, formOf({ ...file, name: 'b.txt' }, { purpose: 'p' }));
  expect(sandbox.received()).toHaveLength(3);
});

test('two doors cannot share a data folder', async () => {
  const sandbox = await sandboxForTest();
  const { agent } = sandboxDestinations(sandbox);
  const folder = gatewayFolder();
  await gatewayForTest({ destinations: { agent } }, {}, folder);
  await expect(gatewayForTest({ destinations: { agent } }, {}, folder)).rejects.toThrow(
    /already being worked/,
  );
});
