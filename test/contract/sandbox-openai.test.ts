import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { type FormPartInput, formOf } from '../support/form-bytes.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');
const client = ({ openaiBase }: Sandbox, apiKey = 'sk-test') =>
  new OpenAI({ baseURL: openaiBase, apiKey, maxRetries: 0 });
const note = (content: Buffer | string = 'some notes') =>
  toFile(Buffer.from(content), 'notes.txt', { type: 'text/plain' });

function post(sandbox: Sandbox, parts: readonly FormPartInput[]): Promise<Response> {
  return fetch(`${sandbox.openaiBase}/files`, {
    method: 'POST',
    body: formOf(parts),
    headers: { Authorization: 'Bearer k' },
  });
}

test('the official client creates, retrieves, reads, lists and deletes a file', async () => {
  const sandbox = await sandboxForTest();
  const { files } = client(sandbox);
  const created = await files.create({ file: await note(), purpose: 'user_data' });
  expect(created).toMatchObject({
    object: 'file',
    bytes: 10,
    filename: 'notes.txt',
    purpose: 'user_data',
    status: 'processed',
  });
  expect(created.id).toMatch(/^file-/);
  expect(created._request_id).toMatch(/^req_/);
  expect(sandbox.received()).toMatchObject([
    {
      api: 'openai',
      id: created.id,
      field: 'file',
      sha256: sha256('some notes'),
      fields: { purpose: 'user_data' },
    },
  ]);

  const { _request_id, ...object } = created;
  expect(await files.retrieve(created.id)).toMatchObject(object);
  expect(await files.waitForProcessing(created.id)).toMatchObject(object);
  expect(await (await files.content(created.id)).text()).toBe('some notes');
  expect(await files.delete(created.id)).toMatchObject({ id: created.id, object: 'file', deleted: true });
  await expect(files.retrieve(created.id)).rejects.toMatchObject({ status: 404, param: 'id' });
  expect((await files.list()).data).toEqual([]);
});

test('the official client streams a file from disk, chunked and with an expiry', async () => {
  const sandbox = await sandboxForTest();
  const folder = await mkdtemp(join(tmpdir(), 'sandbox-openai-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const content = randomBytes(3 * 1024 * 1024);
  await writeFile(join(folder, '说明 "v1".bin'), content);
  const created = await client(sandbox).files.create({
    file: createReadStream(join(folder, '说明 "v1".bin')),
    purpose: 'assistants',
    expires_after: { anchor: 'created_at', seconds: 3600 },
  });
  expect(created.expires_at).toBe(created.created_at + 3600);
  expect(sandbox.received()).toMatchObject([
    {
      filename: '说明 %22v1%22.bin',
      bytes: content.length,
      sha256: sha256(content),
      headers: { 'transfer-encoding': 'chunked' },
    },
  ]);
});

test('the official client pages through a listing in both orders and by purpose', async () => {
  const sandbox = await sandboxForTest();
  const { files } = client(sandbox);
  const ids: string[] = [];
  for (const purpose of ['user_data', 'vision', 'user_data', 'user_data'] as const) {
    ids.push((await files.create({ file: await note(), purpose })).id);
  }
  const listed = async (query: OpenAI.FileListParams): Promise<string[]> => {
    const found: string[] = [];
    for await (const file of files.list(query)) found.push(file.id);
    return found;
  };
  expect(await listed({ limit: 1 })).toEqual(ids.toReversed());
  expect(await listed({ limit: 3, order: 'asc' })).toEqual(ids);
  expect(await listed({ purpose: 'vision' })).toEqual([ids[1]]);
  await expect(files.list({ after: 'file-unknown' })).rejects.toMatchObject({ status: 400 });
});

test('a file disappears when its expiry is over; a batch file expires after 30 days by itself', async () => {
  let nowMs = Date.now();
  const sandbox = await sandboxForTest({ now: () => nowMs });
  const { files } = client(sandbox);
  const batch = await files.create({ file: await toFile(Buffer.from('{}\n'), 'b.jsonl'), purpose: 'batch' });
  expect((batch.expires_at ?? 0) - batch.created_at).toBe(30 * 24 * 60 * 60);
  nowMs += 30 * 24 * 60 * 60 * 1_000;
  await expect(files.retrieve(batch.id)).rejects.toMatchObject({ status: 404 });
});

const file: FormPartInput = { name: 'file', filename: 'a.txt', content: 'x' };
const purpose: FormPartInput = { name: 'purpose', value: 'user_data' };
test.each<[string, FormPartInput[], string]>([
  ['no file', [purpose], 'file'],
  ['no purpose', [file], 'purpose'],
  ['an unknown purpose', [file, { name: 'purpose', value: 'file-extract' }], 'purpose'],
  ['an unknown field', [file, purpose, { name: 'user', value: 'me' }], 'user'],
  ['a field given twice', [file, purpose, purpose], 'purpose'],
  ['two files', [file, file, purpose], 'file'],
  ['a batch that is not .jsonl', [file, { name: 'purpose', value: 'batch' }], 'file'],
  ['half an expiry', [file, purpose, { name: 'expires_after[seconds]', value: '3600' }], 'expires_after'],
  [
    'too short an expiry',
    [
      file,
      purpose,
      { name: 'expires_after[anchor]', value: 'created_at' },
      { name: 'expires_after[seconds]', value: '3599' },
    ],
    'expires_after',
  ],
])('%s is a 400 that names the parameter', async (_what, parts, param) => {
  const sandbox = await sandboxForTest();
  const answer = await post(sandbox, parts);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toEqual({
    error: { message: expect.any(String), type: 'invalid_request_error', param, code: null },
  });
  expect(sandbox.summary().count).toBe(0);
});

test('a missing or wrong key is a 401', async () => {
  const sandbox = await sandboxForTest({ apiKey: 'sk-right' });
  await expect(client(sandbox, 'sk-wrong').files.list()).rejects.toMatchObject({
    status: 401,
    code: 'invalid_api_key',
  });
  expect((await fetch(`${sandbox.openaiBase}/files`)).status).toBe(401);
  expect((await client(sandbox, 'sk-right').files.list()).data).toEqual([]);
});

test('more uploads in a minute than allowed are a 429 the official client can wait out', async () => {
  let nowMs = Date.now();
  const sandbox = await sandboxForTest({ now: () => nowMs, limits: { openaiUploadsPerMinute: 2 } });
  const { files } = client(sandbox);
  const create = async () => files.create({ file: await note(), purpose: 'user_data' });
  await create();
  await create();
  await expect(create()).rejects.toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
  nowMs += 30_000;
  await create();
});

test('a file above the limit is refused', async () => {
  const sandbox = await sandboxForTest({ limits: { openaiMaxFileBytes: 9 } });
  await expect(
    client(sandbox).files.create({ file: await note(), purpose: 'user_data' }),
  ).rejects.toMatchObject({ status: 413 });
});

test('insufficient_quota can be asked for: a 429 of its own', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'openai', action: 'code', code: 'insufficient_quota' }],
  });
  await expect(
    client(sandbox).files.create({ file: await note(), purpose: 'user_data' }),
  ).rejects.toMatchObject({
    status: 429,
    code: 'insufficient_quota',
  });
});

const upload = { filename: 'big.pdf', mime_type: 'application/pdf', purpose: 'user_data' } as const;

test('the official client sends an Upload in parts, completed in the order it names', async () => {
  const sandbox = await sandboxForTest();
  const { uploads, files } = client(sandbox);
  const pieces = [randomBytes(300_000), randomBytes(200_000), randomBytes(1)];
  const whole = Buffer.concat(pieces);
  const created = await uploads.create({ ...upload, bytes: whole.length });
  expect(created).toMatchObject({ object: 'upload', status: 'pending', bytes: whole.length });
  expect(created.expires_at - created.created_at).toBe(3600);
  const parts = await Promise.all(
    pieces
      .toReversed()
      .map(async (piece) => uploads.parts.create(created.id, { data: await toFile(piece, 'part') })),
  );
  expect(parts[0]).toMatchObject({ object: 'upload.part', upload_id: created.id });

  const part_ids = parts.toReversed().map((part) => part.id);
  const md5 = createHash('md5').update(whole).digest('hex');
  const completed = await uploads.complete(created.id, { part_ids, md5 });
  expect(completed).toMatchObject({
    status: 'completed',
    file: { object: 'file', bytes: whole.length, filename: 'big.pdf' },
  });
  expect(await files.retrieve(completed.file?.id ?? '')).toMatchObject({ bytes: whole.length });
  expect(sandbox.received()).toMatchObject([
    { sha256: sha256(whole), filename: 'big.pdf', contentType: 'application/pdf' },
  ]);
  await expect(
    uploads.parts.create(created.id, { data: await toFile(Buffer.from('x'), 'part') }),
  ).rejects.toMatchObject({
    status: 400,
  });
});

test('an Upload is not completed with bytes, parts or a hash that do not fit', async () => {
  const sandbox = await sandboxForTest();
  const { uploads } = client(sandbox);
  const { id } = await uploads.create({ ...upload, bytes: 6 });
  const part = await uploads.parts.create(id, { data: await toFile(Buffer.from('abcdef'), 'part') });
  const other = await uploads.parts.create(id, { data: await toFile(Buffer.from('abc'), 'part') });
  const refusal = (part_ids: string[], md5?: string) =>
    expect(uploads.complete(id, md5 === undefined ? { part_ids } : { part_ids, md5 })).rejects.toMatchObject({
      status: 400,
    });
  await refusal([other.id]);
  await refusal([other.id, other.id]);
  await refusal(['part_unknown']);
  await refusal([part.id], '0'.repeat(32));
  expect(sandbox.summary().count).toBe(0);
  expect(await uploads.complete(id, { part_ids: [part.id] })).toMatchObject({ status: 'completed' });
});

test('a cancelled, an expired and an unknown Upload take nothing more', async () => {
  let nowMs = Date.now();
  const sandbox = await sandboxForTest({ now: () => nowMs });
  const { uploads } = client(sandbox);
  const part = async (id: string) =>
    uploads.parts.create(id, { data: await toFile(Buffer.from('x'), 'part') });
  const cancelled = await uploads.create({ ...upload, bytes: 1 });
  expect(await uploads.cancel(cancelled.id)).toMatchObject({ status: 'cancelled' });
  await expect(part(cancelled.id)).rejects.toMatchObject({ status: 400 });
  const expired = await uploads.create({ ...upload, bytes: 1 });
  const { id } = await part(expired.id);
  nowMs += 3_600_000;
  await expect(uploads.complete(expired.id, { part_ids: [id] })).rejects.toMatchObject({ status: 400 });
  await expect(part('upload_unknown')).rejects.toMatchObject({ status: 404 });
});

test('a part above the limit, or under another name, is refused', async () => {
  const sandbox = await sandboxForTest({ limits: { openaiMaxPartBytes: 3 } });
  const { uploads } = client(sandbox);
  const { id } = await uploads.create({ ...upload, bytes: 4 });
  await expect(
    uploads.parts.create(id, { data: await toFile(Buffer.from('four'), 'part') }),
  ).rejects.toMatchObject({
    status: 413,
  });
  const body = formOf([{ name: 'file', filename: 'part', content: 'x' }]);
  const answer = await fetch(`${sandbox.openaiBase}/uploads/${id}/parts`, {
    method: 'POST',
    body,
    headers: { Authorization: 'Bearer k' },
  });
  expect(answer.status).toBe(400);
  await expect(uploads.create({ ...upload, bytes: 9 * 1024 ** 3 })).rejects.toMatchObject({ status: 400 });
});

test('an answer lost after completing leaves one file; trying again is refused', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'openai', operation: 'complete-upload', action: 'store-then-reset', times: 1 }],
  });
  const { uploads } = client(sandbox);
  const { id } = await uploads.create({ ...upload, bytes: 1 });
  const part = await uploads.parts.create(id, { data: await toFile(Buffer.from('x'), 'part') });
  await expect(uploads.complete(id, { part_ids: [part.id] })).rejects.toThrow();
  await expect(uploads.complete(id, { part_ids: [part.id] })).rejects.toMatchObject({ status: 400 });
  expect(sandbox.summary().count).toBe(1);
});

test('closing removes the parts from disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sandbox-spool-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  vi.stubEnv('TMPDIR', folder);
  onTestFinished(() => void vi.unstubAllEnvs());
  const sandbox = await sandboxForTest();
  const { uploads } = client(sandbox);
  const { id } = await uploads.create({ ...upload, bytes: 1 });
  await uploads.parts.create(id, { data: await toFile(Buffer.from('x'), 'part') });
  expect(await readdir(folder)).toHaveLength(1);
  await sandbox.close();
  expect(await readdir(folder)).toEqual([]);
});
