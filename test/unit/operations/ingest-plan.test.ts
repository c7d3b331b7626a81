import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/load-config.ts';
import { newBatchId, readBatchSpec, writeBatchSpec } from '../../../src/ledger/store/batch-spec.ts';
import { type IngestRequest, planIngest, planOfSpec } from '../../../src/operations/ingest/ingest-plan.ts';
import { folderIdentityOf } from '../../../src/platform/files/folder-identity.ts';
import { zipBytes } from '../../support/zip-bytes.ts';

const NOW_MS = Date.parse('2026-11-22T01:02:03.000Z');

async function place(): Promise<{ folder: string; loaded: LoadedConfig }> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'slipway-plan-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['inbox/sub', 'docs', 'other/docs']) mkdirSync(join(folder, name), { recursive: true });
  for (const name of ['a.zip', 'plain.txt', 'docs/a.txt']) writeFileSync(join(folder, name), 'x');
  const file = join(folder, 'slipway.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      dataDir: './data',
      destinations: { one: { preset: 'openai' }, two: { preset: 'dashscope' } },
      sources: { inbox: { path: './inbox', destination: 'one' } },
    }),
  );
  return { folder, loaded: await loadConfig({ file, env: {}, cwd: folder, flags: {} }) };
}

const request = (folder: string, change: Partial<IngestRequest>): IngestRequest => ({
  ...{ paths: [], to: 'one', source: undefined, filesFrom: undefined, nul: false, manifest: undefined },
  ...{ input: Readable.from([]), cwd: folder, nowMs: NOW_MS },
  ...change,
});

test('each PATH is a source of its own, named after it, with a manifest of its own in one batch', async () => {
  const { folder, loaded } = await place();
  const paths = ['docs', 'other/docs', 'a.zip', './docs/'];
  const { spec, plans, definitions } = await planIngest(request(folder, { paths }), loaded);
  expect(
    spec.parts.map(({ source, root, inputs }) => [source, root, inputs.map(({ kind }) => kind)]),
  ).toEqual([
    ['docs', join(folder, 'docs'), ['folder', 'folder']],
    ['docs-2', join(folder, 'other/docs'), ['folder']],
    ['a.zip', folder, ['archive']],
  ]);
  expect(plans.map(({ manifest }) => manifest)).toEqual([
    join(folder, 'docs.manifest.json'),
    join(folder, 'other/docs.manifest.json'),
    join(folder, 'a.zip.manifest.json'),
  ]);
  expect(definitions.map(({ name }) => name)).toEqual(['one']);
  // Nothing lies in the second one: an empty folder may be the place of another.
  expect(spec.parts.map(({ rootIdentity }) => rootIdentity)).toEqual([
    await folderIdentityOf(join(folder, 'docs')),
    undefined,
    await folderIdentityOf(folder),
  ]);
  expect(spec.batch).toMatch(/^b20261122T010203Z-[0-9a-f]{6}$/);
  expect(spec.parts[1]?.manifest).toBe(join(folder, 'data/batches', `${spec.batch}.docs-2.manifest.json`));
});

test('the folder of a configured source is that source, and a folder in it is a part of it', async () => {
  const { folder, loaded } = await place();
  const whole = await planIngest(request(folder, { paths: ['inbox'], to: undefined }), loaded);
  expect(whole.spec.parts).toMatchObject([{ source: 'inbox', inputs: [{ kind: 'folder', path: '' }] }]);
  const part = await planIngest(
    request(folder, { paths: ['inbox/sub', 'a.zip'], source: 'inbox', to: undefined }),
    loaded,
  );
  expect(part.spec.parts).toMatchObject([
    {
      source: 'inbox',
      root: join(folder, 'inbox'),
      inputs: [
        { kind: 'folder', path: 'sub' },
        { kind: 'archive', path: join(folder, 'a.zip') },
      ],
    },
  ]);
});

test('a list is kept with the batch, whatever becomes of where it came from', async () => {
  const { folder, loaded } = await place();
  const input = Readable.from([Buffer.from('a.txt\nb.txt\n')]);
  const { spec } = await planIngest(request(folder, { paths: ['docs'], filesFrom: '-', input }), loaded);
  const [list] = spec.parts[0]?.inputs ?? [];
  if (list?.kind !== 'list') throw new Error('no list');
  expect(list.base).toBe(join(folder, 'docs'));
  expect(readFileSync(list.file, 'utf8')).toBe('a.txt\nb.txt\n');
});

test('a spec that was written is read back by its id, and means the same sources', async () => {
  const { folder, loaded } = await place();
  const { dataDir } = loaded.config;
  const planned = await planIngest(request(folder, { paths: ['docs', 'a.zip'] }), loaded);
  await writeBatchSpec(dataDir, planned.spec);
  const spec = await readBatchSpec(dataDir, planned.spec.batch);
  expect(spec).toEqual(planned.spec);
  const again = planOfSpec(spec, loaded);
  expect(again.plans).toEqual(planned.plans);
});

test('a batch goes on from where and to where it began, by the rules of its source, whatever its source names now', async () => {
  const { folder, loaded } = await place();
  const { spec } = await planIngest(
    request(folder, { source: 'inbox', paths: ['inbox'], to: undefined }),
    loaded,
  );
  const { inbox } = loaded.config.sources;
  if (inbox === undefined) throw new Error('no source');
  const manifest = join(folder, 'elsewhere.json');
  const now = {
    ...inbox,
    path: join(folder, 'docs'),
    destination: 'two',
    manifest,
    ignore: ['*.tmp'],
    maxBytes: 7,
  };
  const changed = { ...loaded, config: { ...loaded.config, sources: { inbox: now } } };
  const { plans, definitions } = planOfSpec(spec, changed);
  expect(plans).toMatchObject([
    {
      ...{ name: 'inbox', root: join(folder, 'inbox'), destination: 'one', manifest: inbox.manifest },
      ...{ ignore: ['*.tmp'], maxBytes: 7 },
    },
  ]);
  expect(definitions.map(({ name }) => name)).toEqual(['one']);
});

test.each([
  [{ paths: ['docs'], source: 'nobody', to: undefined }, /no source nobody: --source takes one of inbox/],
  [{ paths: ['docs'], source: 'inbox' }, /exclude each other/],
  [{ paths: ['docs', 'inbox'], filesFrom: '-' }, /--files-from goes with one PATH at most/],
  [{ paths: ['gone'] }, /the folder .*gone does not exist/],
  [{ paths: ['gone.tar.gz'] }, /cannot read the archive .*gone\.tar\.gz \(there is no such file\)/],
  [{ filesFrom: 'no-such-list' }, /cannot read no-such-list/],
])('%j is refused', async (change, message) => {
  const { folder, loaded } = await place();
  await expect(planIngest(request(folder, change), loaded)).rejects.toThrow(message);
});

test('an id that is none never becomes a path', async () => {
  const { loaded } = await place();
  for (const id of ['../../etc/passwd', '', 'b1', `${newBatchId(NOW_MS)}/x`])
    await expect(readBatchSpec(loaded.config.dataDir, id)).rejects.toMatchObject({ code: 'batch_unknown' });
});

test('an archive is known by what it holds: another ending, or none, makes no difference to how it is read', async () => {
  const { folder, loaded } = await place();
  const zip = zipBytes([{ name: 'a.txt', content: 'a' }]);
  const files = {
    'really-zip.tar.gz': zip,
    bare: zip,
    'report.docx': zip,
    'x.zip': Buffer.from('7z\xbc\xaf\x27\x1c', 'latin1'),
  };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  const plan = (path: string) => planIngest(request(folder, { paths: [path], zipNames: 'gbk' }), loaded);
  for (const path of ['really-zip.tar.gz', 'bare']) {
    const { spec } = await plan(path);
    expect(spec.parts[0]?.inputs).toEqual([{ kind: 'archive', path: join(folder, path), names: 'gbk' }]);
  }
  // A zip inside, and a document to everybody.
  await expect(plan('report.docx')).rejects.toMatchObject({ code: 'usage' });
  await expect(plan('x.zip')).rejects.toMatchObject({
    code: 'archive_foreign',
    message: expect.stringContaining(
      `is a 7z archive, which Slipway does not read: unpack it with \`7z x '${folder}/x.zip'`,
    ),
  });
});
