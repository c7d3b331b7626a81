import OpenAI, { toFile } from 'openai';
import { expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { type FormPartInput, formOf } from '../support/form-bytes.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const file: FormPartInput = { name: 'file', filename: 'a.txt', content: 'x' };
const purpose: FormPartInput = { name: 'purpose', value: 'file-extract' };
const headers = { Authorization: 'Bearer sk-test' };

function post({ dashscopeBase }: Sandbox, parts: readonly FormPartInput[]): Promise<Response> {
  return fetch(`${dashscopeBase}/files`, { method: 'POST', body: formOf(parts), headers });
}

test('a file is processing for a while, then processed; the official client waits for it', async () => {
  let nowMs = Date.now();
  const sandbox = await sandboxForTest({ now: () => nowMs, processingMs: 2_000 });
  const { files } = new OpenAI({ baseURL: sandbox.dashscopeBase, apiKey: 'sk-test', maxRetries: 0 });
  const created = await files.create({
    file: await toFile(Buffer.from('text'), 'a.md'),
    purpose: 'file-extract' as 'user_data',
  });
  expect(created).toMatchObject({
    object: 'file',
    bytes: 4,
    filename: 'a.md',
    purpose: 'file-extract',
    status: 'processing',
    status_details: null,
  });
  expect(created.id).toMatch(/^file-fe-/);
  expect(await files.retrieve(created.id)).toMatchObject({ status: 'processing' });
  nowMs += 2_000;
  expect(await files.retrieve(created.id)).toMatchObject({ status: 'processed' });
  expect((await files.list()).data).toMatchObject([{ id: created.id }]);
  expect(await files.delete(created.id)).toMatchObject({ object: 'file', deleted: true, id: created.id });
  await expect(files.retrieve(created.id)).rejects.toMatchObject({ status: 404 });
});

test.each<[string, FormPartInput[], RegExp]>([
  ['an extra field', [purpose, file, { name: 'expires_after[seconds]', value: '3600' }], /Extra/],
  ['no purpose', [file], /purpose/],
  ['an unknown purpose', [{ name: 'purpose', value: 'user_data' }, file], /purpose/],
  ['no file', [purpose], /file/],
  ['a type it does not read', [purpose, { ...file, filename: 'a.exe' }], /format is not supported/],
  ['a batch that is not .jsonl', [{ name: 'purpose', value: 'batch' }, file], /format is not supported/],
])('%s is a 400', async (_what, parts, message) => {
  const sandbox = await sandboxForTest();
  const answer = await post(sandbox, parts);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({
    error: { code: 'InvalidParameter', message: expect.stringMatching(message) },
  });
});

test('a file above the limit is refused', async () => {
  const sandbox = await sandboxForTest({ limits: { dashscopeExtractMaxBytes: 3 } });
  const answer = await post(sandbox, [purpose, { ...file, content: 'four' }]);
  expect(await answer.json()).toMatchObject({
    error: { message: expect.stringContaining('exceeds size limit') },
  });
});

test('three uploads a second go, the fourth is throttled, and a third of a second later one more goes', async () => {
  let nowMs = Date.now();
  const sandbox = await sandboxForTest({ now: () => nowMs });
  const statuses: number[] = [];
  const send = async () => statuses.push((await post(sandbox, [purpose, file])).status);
  for (let nth = 1; nth <= 4; nth += 1) await send();
  nowMs += 334;
  await send();
  await send();
  expect(statuses).toEqual([200, 200, 200, 429, 200, 429]);
});

test('retrieve, list and delete share ten a second', async () => {
  const nowMs = Date.now();
  const sandbox = await sandboxForTest({ now: () => nowMs });
  const statuses: number[] = [];
  for (let nth = 1; nth <= 11; nth += 1) {
    const path = nth % 2 === 0 ? '/files' : '/files/unknown';
    statuses.push(
      (
        await fetch(`${sandbox.dashscopeBase}${path}`, {
          headers,
          method: nth % 3 === 1 && nth % 2 === 1 ? 'DELETE' : 'GET',
        })
      ).status,
    );
  }
  expect(statuses.slice(0, 10).every((status) => status !== 429)).toBe(true);
  expect(statuses[10]).toBe(429);
});

test('a full account refuses further files until one is deleted', async () => {
  const sandbox = await sandboxForTest({ limits: { dashscopeMaxFiles: 1 } });
  const { id } = (await (await post(sandbox, [purpose, file])).json()) as { id: string };
  const refused = await post(sandbox, [purpose, file]);
  expect(await refused.json()).toMatchObject({ error: { code: 'insufficient_quota' } });
  await fetch(`${sandbox.dashscopeBase}/files/${id}`, { method: 'DELETE', headers });
  expect((await post(sandbox, [purpose, file])).status).toBe(200);
});

test('no key is a 401; errors come in the native shape too, on request', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'dashscope', action: 'code', code: 'Arrearage', shape: 'other', filename: 'a.txt' }],
  });
  expect(
    (await fetch(`${sandbox.dashscopeBase}/files`, { method: 'POST', body: formOf([purpose, file]) })).status,
  ).toBe(401);
  expect(await (await post(sandbox, [purpose, file])).json()).toMatchObject({
    code: 'Arrearage',
    request_id: expect.any(String),
  });
});
