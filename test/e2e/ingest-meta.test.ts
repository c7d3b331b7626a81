/** What `ingest` attaches to files reaches their receipts, whoever sends them, and never Redis. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorLine } from '../support/cli.ts';
import { batchOf, ingestPlace, manifestOf } from '../support/ingest-place.ts';
import type { Workplace } from '../support/workplace.ts';
import { zipBytes } from '../support/zip-bytes.ts';

/** All that the private Redis has written. */
function writtenByRedis(place: Workplace): string {
  const entries = readdirSync(place.path('data/redis'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('\n');
}

test('files of folders and archives carry what the flags and the list say', async () => {
  const { place } = await ingestPlace();
  await place.file('docs/a.txt', 'a');
  await place.file('docs/d/b.txt', 'b');
  await place.file('list.jsonl', '{"path":"d/b.txt","meta":{"order":4711}}\n');
  const flags = ['--to', 'demo', '--json', '--meta', 'customer=7'];
  const folder = await place.run(['ingest', 'docs', ...flags, '--meta-from', 'list.jsonl']);
  expect(folder.code).toBe(0);
  const metas = Object.fromEntries((await manifestOf(batchOf(folder))).map(({ path, meta }) => [path, meta]));
  expect(metas).toEqual({ 'a.txt': { customer: '7' }, 'd/b.txt': { customer: '7', order: '4711' } });
  await place.file('more.zip', zipBytes([{ name: 'in/c.txt', content: 'c' }]));
  const archive = await place.run(['ingest', 'more.zip', ...flags]);
  expect((await manifestOf(batchOf(archive))).map(({ meta }) => meta)).toEqual([{ customer: '7' }]);
});

test('a process that works on the source gets it by way of the data folder, not of Redis', async () => {
  const { place } = await ingestPlace();
  const cli = place.start(['run']);
  await cli.said('watching');
  await place.file('handed.zip', zipBytes([{ name: 'in/c.txt', content: 'c' }]));
  const handed = await place.run([
    ...['ingest', 'handed.zip', '--source', 'inbox', '--json', '--meta', 'told=only-on-disk'],
  ]);
  expect(handed.code).toBe(0);
  expect((await manifestOf(batchOf(handed))).map(({ meta }) => meta)).toEqual([{ told: 'only-on-disk' }]);
  const written = writtenByRedis(place);
  expect(written).toContain('in/c.txt');
  expect(written).not.toContain('only-on-disk');
  cli.signal('SIGTERM');
  expect((await cli.ended).code).toBe(0);
});

test('--resume takes no metadata: the batch goes on as it was asked for', async () => {
  const { place } = await ingestPlace();
  const again = await place.run(['ingest', '--resume', 'b20260101T000000Z-abcdef', '--meta', 'a=1']);
  expect([again.code, errorLine(again)]).toEqual([2, expect.stringContaining('--resume')]);
});
