/** Metadata, sidecars and dropped folders as a user meets them. */
import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Receipt } from '../../src/domain/receipt.ts';
import { errorLine } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

test('a dropped folder is uploaded, and its manifest lies in the data folder once it has ended', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const source = { batch: { by: 'topFolder', quiet: '1s' } };
  await place.config(inboxConfig(sandboxDestination(sandbox), { source }));
  const cli = place.start(['run']);
  await cli.said('watching');
  for (const name of ['a.txt', 'b.txt', 'deep/c.txt']) await place.file(`inbox/order 7/${name}`, name);
  await cli.said('batch completed');
  cli.signal('SIGTERM');
  expect((await cli.ended).code).toBe(0);
  const names = await readdir(place.path('data/batches'));
  const [manifest = ''] = names.filter((name) => name.endsWith('.manifest.json'));
  const text = await readFile(place.path('data/batches', manifest), 'utf8');
  const { folder, batch, counts, files } = JSON.parse(text) as {
    folder: string;
    batch: string;
    counts: object;
    files: Receipt[];
  };
  expect({ folder, counts }).toEqual({
    folder: 'order 7',
    counts: { discovered: 3, uploaded: 3, failed: 0, skipped: 0 },
  });
  expect(manifest).toBe(`${batch}.manifest.json`);
  expect(files.every(({ status, batch: of }) => status === 'uploaded' && of === batch)).toBe(true);
});

test('run --meta and --meta-from reach receipts, JSON output and CSV', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config({ dataDir: './data', destinations: { demo: sandboxDestination(sandbox) } });
  await place.file('inbox/a.txt', 'a');
  await place.file('inbox/d/b.txt', 'b');
  await place.file('list.jsonl', '{"path":"d/b.txt","meta":{"order":4711}}\n');
  const run = await place.run([
    ...['run', './inbox', '--to', 'demo', '--once', '--yes', '--json'],
    ...['--meta', 'customer=7', '--meta', 'order=none', '--meta-from', './list.jsonl'],
  ]);
  expect(run.code).toBe(0);
  const printed = run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Receipt);
  expect(Object.fromEntries(printed.map(({ path, meta }) => [path, meta]))).toEqual({
    'a.txt': { customer: '7', order: 'none' },
    'd/b.txt': { customer: '7', order: '4711' },
  });
  const csv = await place.read(['manifest', 'export', '--format', 'csv']);
  expect(csv.stdout).toContain('"{""customer"":""7"",""order"":""4711""}"');
});

test('metadata that cannot be used is refused before anything starts, with its line or key', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config({ dataDir: './data', destinations: { demo: sandboxDestination(sandbox) } });
  await place.file('inbox/a.txt', 'a');
  await place.file('list.jsonl', '{"path":"a.txt","meta":{}}\n{"path":"b.txt"}\n');
  const common = ['run', './inbox', '--to', 'demo', '--once', '--yes'];
  const listed = await place.run([...common, '--meta-from', 'list.jsonl']);
  expect([listed.code, errorLine(listed)]).toEqual([
    2,
    expect.stringContaining('line 2 meta: must be a JSON'),
  ]);
  const keyed = await place.run([...common, '--meta', 'two words=1']);
  expect([keyed.code, errorLine(keyed)]).toEqual([2, expect.stringContaining('the key "two words"')]);
  expect(sandbox.summary().count).toBe(0);
});

test('upload --meta is in the receipt it prints', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config({ dataDir: './data', destinations: { demo: sandboxDestination(sandbox) } });
  await place.file('a.txt', 'a');
  const result = await place.run(['upload', 'a.txt', '--to', 'demo', '--yes', '--meta', 'order=4711']);
  expect([result.code, JSON.parse(result.stdout)]).toMatchObject([0, { meta: { order: '4711' } }]);
});

test('sidecars lie beside the files, and beside those that are moved', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const source = { sidecar: true, onSuccess: { moveTo: './done' } };
  await place.config(inboxConfig(sandboxDestination(sandbox), { source }));
  await place.file('inbox/d/a.txt', 'a');
  expect((await place.run(['run', '--once'])).code).toBe(0);
  const beside = JSON.parse(await readFile(place.path('done/d/a.txt.receipt.json'), 'utf8')) as Receipt;
  expect(beside).toEqual((await place.receipts())[0]);
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect(await place.receipts()).toHaveLength(1);
});
