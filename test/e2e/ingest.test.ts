/** `slipway ingest` as users run it: one batch, one end, whatever happens on the way. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { expectHealthyCommand } from '../support/healthy-run.ts';
import { batchOf, ingestPlace, manifestOf } from '../support/ingest-place.ts';
import { zipBytes } from '../support/zip-bytes.ts';

test('a folder is one batch: every file uploaded, one end, and repeating it sends nothing', async () => {
  const { place, sandbox } = await ingestPlace();
  await place.file('docs/a.txt', 'a');
  await place.file('docs/sub/b.txt', 'b');
  await place.file('docs/.secret', 'never');
  const first = await place.run(['ingest', 'docs', '--to', 'demo', '--json']);
  expect(first.code).toBe(0);
  const batch = batchOf(first);
  expect(batch).toMatchObject({
    state: 'completed',
    counts: { discovered: 2, uploaded: 2, failed: 0, skipped: 0 },
    exitCode: 0,
  });
  expect((await manifestOf(batch)).map(({ path, batch: id }) => [path, id])).toEqual(
    expect.arrayContaining([
      ['a.txt', batch.batch],
      ['sub/b.txt', batch.batch],
    ]),
  );
  expect(existsSync(place.path('docs.manifest.jsonl'))).toBe(true);
  await place.file('docs/c.txt', 'c');
  const second = batchOf(await place.run(['ingest', 'docs', '--to', 'demo', '--json']));
  expect(second.counts).toMatchObject({ discovered: 3, uploaded: 3 });
  expect(second.batch).not.toBe(batch.batch);
  expect(await manifestOf(second)).toHaveLength(3);
  await expectHealthyCommand({ place, stderr: first.stderr, server: sandbox }, 3);
  const status = JSON.parse((await place.read(['status', '--json'])).stdout) as {
    sources: { name: string; uploaded: number; batches: unknown[] }[];
  };
  expect(status.sources.find(({ name }) => name === 'docs')).toMatchObject({ uploaded: 3, batches: [] });
});

test('a list on stdin: each file once, missing ones are counted and make it 6', async () => {
  const { place, sandbox } = await ingestPlace();
  for (const name of ['a', 'b', 'c']) await place.file(`work/${name}.txt`, name);
  const list = ['a.txt', './b.txt', 'a.txt', 'gone.txt', '/etc/hostname', ''].join('\0');
  const result = await place.run(
    ['ingest', '--files-from', '-', '-0', '--to', 'demo', '--json', '--config', place.path('slipway.yaml')],
    {
      input: list,
      cwd: place.path('work'),
    },
  );
  expect(result.code).toBe(6);
  expect(batchOf(result)).toMatchObject({
    counts: { discovered: 2, uploaded: 2 },
    unusable: 2,
    state: 'completed',
  });
  expect(sandbox.summary().count).toBe(2);
});

test('--dry-run says what would go and what not, sends nothing and starts no Redis', async () => {
  const { place, sandbox } = await ingestPlace();
  await place.file('docs/a.txt', 'abc');
  await place.file('docs/.hidden', 'x');
  const result = await place.run(['ingest', 'docs', '--to', 'demo', '--dry-run', '--json']);
  expect(result.code).toBe(0);
  expect(JSON.parse(result.stdout)).toMatchObject({
    source: 'docs',
    files: 1,
    bytes: 3,
    known: 0,
    tally: { ignored: { hidden: 1 } },
  });
  const text = await place.run(['ingest', 'docs', '--to', 'demo', '--dry-run']);
  expect(text.stdout).toContain('docs → demo: 1 files, 3 B would be sent\n  1 left alone: hidden\n');
  expect(sandbox.summary().count).toBe(0);
  expect(existsSync(place.path('data', 'redis'))).toBe(false);
});

test('--dry-run on an empty mount point says so, as the run itself does', async () => {
  const { place, sandbox } = await ingestPlace();
  await place.file('docs/a.txt', 'abc');
  expect((await place.run(['ingest', 'docs', '--to', 'demo'])).code).toBe(0);
  await rename(place.path('docs'), place.path('away'));
  await mkdir(place.path('docs'));
  for (const args of [
    ['docs', '--to', 'demo', '--dry-run'],
    ['docs', '--to', 'demo'],
  ]) {
    const { code, stdout, stderr } = await place.run(['ingest', ...args]);
    expect([code, stdout], stderr).toEqual([5, '']);
    expect(stderr).toContain('docs is empty and is not the folder that held its files before');
  }
  expect(sandbox.summary().count).toBe(1);
});

test('Ctrl-C finishes what is in flight, says how to go on, and exits 130', async () => {
  // One file is kept waiting, so that the batch has not ended before the signal.
  const { place, sandbox } = await ingestPlace(
    {
      capacity: { serviceMs: 100 },
      faults: [{ api: 'autoglm', action: '429', retryAfter: 1, filename: '7.txt' }],
    },
    { worker: { concurrency: { initial: 2, max: 2, adaptive: false } } },
  );
  for (let index = 0; index < 30; index += 1) await place.file(`docs/${index}.txt`, `${index}`);
  const cli = place.start(['ingest', 'docs', '--to', 'demo']);
  await vi.waitFor(
    async () => expect((await place.receipts(place.path('docs.manifest.jsonl'))).length).toBeGreaterThan(3),
    { timeout: 30_000, interval: 20 },
  );
  cli.signalGroup('SIGINT');
  const cut = await cli.ended;
  expect(cut.code).toBe(130);
  const id = /ingest --resume (b[\w-]+)/.exec(cut.stderr)?.[1] ?? '';
  const status = await place.read(['status']);
  expect(status.stdout).toMatch(new RegExp(`batch ${id} +\\d+ of 30 done`));
  const { sources } = JSON.parse((await place.read(['status', '--json'])).stdout);
  const source = sources.find(({ name }: { name: string }) => name === 'docs');
  expect(source).toMatchObject({ running: false, discovered: 30, pending: 30 - source.uploaded });
  sandbox.clearFaults();
  const resumed = await place.run(['ingest', '--resume', id, '--json']);
  expect(resumed.code).toBe(0);
  expect(batchOf(resumed).counts).toMatchObject({ discovered: 30, uploaded: 30 });
});

test('while nothing gets through it gives up with 5 and keeps the batch', async () => {
  const { place, sandbox } = await ingestPlace({ faults: [{ api: 'autoglm', action: '503' }] });
  await place.file('docs/a.txt', 'a');
  const gaveUp = await place.run(['ingest', 'docs', '--to', 'demo', '--give-up', '1s', '--json']);
  expect(gaveUp.code).toBe(5);
  expect(batchOf(gaveUp)).toMatchObject({ state: 'incomplete', exitCode: 5 });
  sandbox.clearFaults();
  const resumed = await place.run(['ingest', '--resume', batchOf(gaveUp).batch, '--json']);
  expect(batchOf(resumed)).toMatchObject({ state: 'completed', counts: { uploaded: 1 } });
});

test('--detach goes on in the background and ends there', async () => {
  const { place, sandbox } = await ingestPlace();
  await place.file('docs/a.txt', 'a');
  const result = await place.run(['ingest', 'docs', '--to', 'demo', '--detach', '--json']);
  expect(result.code).toBe(0);
  const { batch, pid, log } = JSON.parse(result.stdout) as { batch: string; pid: number; log: string };
  await vi.waitFor(
    () => expect(existsSync(place.path('data', 'batches', `${batch}.manifest.json`))).toBe(true),
    {
      timeout: 60_000,
      interval: 50,
    },
  );
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 30_000, interval: 50 });
  expect(await readFile(log, 'utf8')).toContain(`batch ${batch} completed`);
  expect(sandbox.summary().count).toBe(1);
});

test('a source that a running process watches does the batch itself, and the command follows it to its end', async () => {
  const { place, sandbox } = await ingestPlace();
  const run = place.start(['run']);
  await place.file('inbox/a.txt', 'a');
  await place.recorded(1);
  await place.file('more.zip', zipBytes([{ name: 'b.txt', content: 'b' }]));
  const result = await place.run(['ingest', 'more.zip', 'inbox', '--source', 'inbox', '--json']);
  expect(result.code).toBe(0);
  expect(batchOf(result)).toMatchObject({ state: 'completed', counts: { discovered: 2, uploaded: 2 } });
  expect((await place.receipts()).map(({ path }) => path).sort()).toEqual(['a.txt', 'more.zip!/b.txt']);
  expect(sandbox.summary().count).toBe(2);
  run.signal('SIGTERM');
  expect((await run.ended).code).toBe(0);
});
