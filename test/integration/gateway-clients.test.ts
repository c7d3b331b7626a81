import { execFile } from 'node:child_process';
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI, { toFile } from 'openai';
import { expect, test } from 'vitest';
import { gatewayForTest, sandboxDestinations } from '../support/gateway.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { uploadFolder } from '../support/upload-fixture.ts';

const run = promisify(execFile);

async function openaiDoor() {
  const sandbox = await sandboxForTest({
    limits: { dashscopeUploadsPerSecond: 1_000, dashscopeQueriesPerSecond: 1_000 },
  });
  const door = await gatewayForTest({ destinations: sandboxDestinations(sandbox) });
  const client = (name: string) =>
    new OpenAI({ apiKey: 'unused', baseURL: `${door.url}/${name}/v1`, maxRetries: 0 });
  return { sandbox, door, client };
}

test.each(['openai', 'qwen'])(
  'the openai client creates, lists, reads and deletes files of %s',
  async (name) => {
    const { sandbox, client } = await openaiDoor();
    const openai = client(name);
    const purpose = name === 'qwen' ? ('file-extract' as 'assistants') : 'assistants';
    const path = join(uploadFolder(), 'streamed.txt');
    writeFileSync(path, 'from a stream');
    const files = [
      await openai.files.create({ file: new File(['one'], 'one.txt'), purpose }),
      await openai.files.create({ file: await toFile(Buffer.from('two'), 'two.txt'), purpose }),
      await openai.files.create({ file: createReadStream(path), purpose }),
    ];
    expect(files.map(({ filename, bytes }) => [filename, bytes])).toEqual([
      ['one.txt', 3],
      ['two.txt', 3],
      ['streamed.txt', 13],
    ]);
    expect(sandbox.received().map(({ id }) => id)).toEqual(files.map(({ id }) => id));
    const [first] = files;
    expect(await openai.files.retrieve(first?.id ?? '')).toMatchObject({ id: first?.id, object: 'file' });
    const listed: string[] = [];
    for await (const file of openai.files.list({ limit: 2 })) listed.push(file.id);
    expect(new Set(listed)).toEqual(new Set(files.map(({ id }) => id)));
    expect(await openai.files.delete(first?.id ?? '')).toMatchObject({ id: first?.id, deleted: true });
    await expect(openai.files.retrieve(first?.id ?? '')).rejects.toThrow(OpenAI.NotFoundError);
  },
);

test('waitForProcessing ends, and content comes as it was sent', async () => {
  const { client } = await openaiDoor();
  const openai = client('openai');
  const bytes = Buffer.from([0, 255, 1, 254, 10, 13]);
  const { id } = await openai.files.create({ file: await toFile(bytes, 'raw.bin'), purpose: 'user_data' });
  expect(await openai.files.waitForProcessing(id, { pollInterval: 20 })).toMatchObject({
    id,
    status: 'processed',
  });
  const content = await openai.files.content(id);
  expect(Buffer.from(await content.arrayBuffer())).toEqual(bytes);
});

test('what a destination cannot do is not supported, in a class of the client', async () => {
  const { client } = await openaiDoor();
  await expect(client('qwen').files.content('file-x')).rejects.toMatchObject({
    status: 501,
    code: 'not_supported',
  });
  const wrong = client('openai').files.create({
    file: new File(['x'], 'x.txt'),
    purpose: 'nonsense' as 'assistants',
  });
  await expect(wrong).rejects.toThrow(OpenAI.BadRequestError);
  await expect(wrong).rejects.toMatchObject({ param: 'purpose', code: 'invalid_purpose' });
});

test('the client stops at once where no repetition helps', async () => {
  const { sandbox, door } = await openaiDoor();
  sandbox.addFaults([{ api: 'openai', operation: 'upload', action: '401', times: 10 }]);
  const openai = new OpenAI({ apiKey: 'unused', baseURL: `${door.url}/openai/v1`, maxRetries: 3 });
  const refused = openai.files.create({ file: new File(['x'], 'x.txt'), purpose: 'user_data' });
  await expect(refused).rejects.toThrow(OpenAI.AuthenticationError);
  expect(door.log.filter(({ message }) => message === 'answered')).toHaveLength(1);
});

test('curl -F uploads a file with a Chinese name', async () => {
  const { sandbox, door } = await openaiDoor();
  const path = join(uploadFolder(), '报告 2026.txt');
  writeFileSync(path, 'written by curl');
  const { stdout } = await run('curl', [
    '-sS',
    '-F',
    `file=@${path}`,
    '-F',
    'purpose=file-extract',
    `${door.url}/qwen/upload-openai-file`,
  ]);
  expect(JSON.parse(stdout)).toMatchObject({ code: 0, data: { filename: '报告 2026.txt', bytes: 15 } });
  expect(sandbox.received()).toMatchObject([{ filename: '报告 2026.txt' }]);
});

test('curl -F sees the refusal of a large file, although it has not sent it whole', async () => {
  const sandbox = await sandboxForTest();
  const { qwen } = sandboxDestinations(sandbox);
  const door = await gatewayForTest({ destinations: { qwen }, gateway: { maxBytes: '1MB' } });
  const path = join(uploadFolder(), 'large.txt');
  writeFileSync(path, Buffer.alloc(30_000_000));
  const { stdout } = await run('curl', [
    '-sS',
    '-w',
    '\n%{http_code}',
    '-F',
    `file=@${path}`,
    `${door.url}/v1/files`,
  ]);
  expect(stdout).toMatch(/file_too_large.*\n413$/s);
});
