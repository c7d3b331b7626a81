import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSlipway, type Receipt, type UploadFileInput } from '../../src/index.ts';
import { sandboxDestinations } from '../support/gateway.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { uploadFolder } from '../support/upload-fixture.ts';

async function library() {
  const sandbox = await sandboxForTest({ limits: { vectorxUploadsPerSecond: 1_000 } });
  const folder = uploadFolder();
  const slipway = createSlipway(
    {
      dataDir: join(folder, 'data'),
      destinations: sandboxDestinations(sandbox),
      retry: { baseDelay: '10ms' },
    },
    { env: { API_KEY: 'sk-test' } },
  );
  onTestFinished(() => slipway.close());
  return { sandbox, slipway, folder };
}

test('every form of a file is uploaded: File, Blob, bytes, text, a path, and what the agent runtime hands over', async () => {
  const { sandbox, slipway, folder } = await library();
  const path = join(folder, 'on disk.txt');
  writeFileSync(path, 'content');
  const content = Buffer.from('content');
  const forms: readonly (readonly [UploadFileInput, string])[] = [
    [{ file: new File(['content'], 'file.txt') }, 'file.txt'],
    [{ file: new Blob(['content']), filename: 'blob.txt' }, 'blob.txt'],
    [{ file: content, filename: 'bytes.txt' }, 'bytes.txt'],
    [{ file: 'content', filename: '文本.txt' }, '文本.txt'],
    [{ file: { path } }, 'on disk.txt'],
    [{ file: { path }, filename: 'renamed.txt' }, 'renamed.txt'],
    [
      { file: { buffer: content, originalFilename: 'runtime.txt', mimetype: 'text/plain', size: 7 } },
      'runtime.txt',
    ],
    [{ file: { filepath: path, newFilename: 'by-path.txt' } }, 'by-path.txt'],
  ];
  const sha256 = createHash('sha256').update(content).digest('hex');
  for (const [input, filename] of forms) {
    const told = await slipway.uploadFile(input, { to: 'agent' });
    expect(told).toMatchObject({
      code: 0,
      msg: 'success',
      data: { object: 'file', bytes: 7, filename, purpose: 'file-extract' },
    });
    expect(sandbox.received().at(-1)).toMatchObject({ filename, sha256, id: told.data?.id });
  }
});

test('failures are codes as the document says, never exceptions', async () => {
  const { slipway } = await library();
  expect(await slipway.uploadFile({ file: 'x' }, { to: 'agent' })).toEqual({
    code: -1,
    msg: '文件名不能为空',
  });
  expect(await slipway.uploadFile({ file: {} as never, filename: 'a' }, { to: 'agent' })).toEqual({
    code: -1,
    msg: '文件内容不能为空',
  });
  expect(await slipway.uploadFile({ file: 'x', filename: 'a.exe' }, { to: 'qwen' })).toMatchObject({
    code: 400,
    msg: expect.stringContaining('.pdf'),
  });
  expect(await slipway.uploadFile({ file: 'x', filename: 'a.txt' }, { to: 'nobody' })).toMatchObject({
    code: -1,
    msg: expect.stringContaining('nobody'),
  });
  expect(await slipway.uploadFile({ file: 'x', filename: 'a.txt' })).toMatchObject({
    code: -1,
    msg: expect.stringContaining('which destination'),
  });
  const broken = createSlipway({ destinations: { a: { preset: 'nothing' } } });
  expect(await broken.uploadFile({ file: 'x', filename: 'a.txt' })).toMatchObject({
    code: -1,
    msg: expect.stringContaining('no preset'),
  });
  await broken.close();
});

test('files on disk give receipts in their order, and events tell of each', async () => {
  const { sandbox, slipway, folder } = await library();
  const paths = Array.from({ length: 20 }, (_, at) => join(folder, `${at}.txt`));
  for (const path of paths) writeFileSync(path, path);
  const told: Receipt[] = [];
  slipway.on('file.uploaded', (receipt) => told.push(receipt));
  const receipts = await slipway.upload(paths, { to: 'autoglm' });
  expect(receipts.map(({ path, status }) => [path, status])).toEqual(paths.map((path) => [path, 'uploaded']));
  expect(told).toHaveLength(20);
  expect(sandbox.received()).toHaveLength(20);
  await expect(slipway.upload([join(folder, 'not there')], { to: 'autoglm' })).rejects.toThrow(/ENOENT/);
});

test('nothing becomes public unasked', async () => {
  const publicly = createSlipway({
    dataDir: join(uploadFolder(), 'd'),
    destinations: { open: { preset: 'autoglm' } },
  });
  expect(await publicly.uploadFile({ file: 'x', filename: 'a.txt' })).toMatchObject({
    code: -1,
    msg: expect.stringContaining('readable by anyone'),
  });
  await publicly.close();
});
