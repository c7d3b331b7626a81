/** `slipway ingest` of archives: entry by entry, what is not taken says why. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { batchOf, ingestPlace, spooled } from '../support/ingest-place.ts';
import { tarBytes } from '../support/tar-bytes.ts';
import { zipBytes } from '../support/zip-bytes.ts';

test('archives go entry by entry, under their names, and leave no copy behind', async () => {
  const { place, sandbox } = await ingestPlace();
  await place.file(
    'in.zip',
    zipBytes([
      { name: 'dir/a.txt', content: 'in zip' },
      { name: 'dir/', content: '' },
    ]),
  );
  await place.file('in.tar.gz', gzipSync(tarBytes([{ name: 'b.txt', content: 'in tar' }])));
  const result = await place.run(['ingest', 'in.zip', 'in.tar.gz', '--to', 'demo', '--json']);
  expect(result.code).toBe(0);
  const batch = batchOf(result);
  expect(batch.counts).toMatchObject({ discovered: 2, uploaded: 2 });
  expect(batch.parts.map(({ source }) => source).sort()).toEqual(['in.tar.gz', 'in.zip']);
  const [zip] = await place.receipts(place.path('in.zip.manifest.jsonl'));
  expect(zip).toMatchObject({
    path: 'in.zip!/dir/a.txt',
    bytes: 6,
    sha256: createHash('sha256').update('in zip').digest('hex'),
    mtime: '2026-11-22T01:02:04.000Z',
  });
  expect(await place.receipts(place.path('in.tar.gz.manifest.jsonl'))).toMatchObject([
    { path: 'in.tar.gz!/b.txt', sha256: createHash('sha256').update('in tar').digest('hex') },
  ]);
  expect(spooled(place)).toEqual([]);
  const again = await place.run(['ingest', 'in.zip', 'in.tar.gz', '--to', 'demo', '--json']);
  expect(batchOf(again).counts).toMatchObject({ discovered: 2, uploaded: 2 });
  expect(sandbox.summary().count).toBe(2);
});

test('what an archive holds that is not taken has a receipt that says why, and the rest goes on: exit 6', async () => {
  const { place, sandbox } = await ingestPlace();
  const bad = [
    { name: '../out.txt', content: 'x' },
    { name: 'secret.txt', content: 'x', encrypted: true },
    { name: 'wrong.txt', content: 'x', says: { crc: 1 } },
    { name: 'link', content: '/etc/passwd', mode: 0o120777 },
  ];
  await place.file('mixed.zip', zipBytes([...bad, { name: 'good.txt', content: 'good' }]));
  await place.file(
    'cut.tar.gz',
    gzipSync(tarBytes([{ name: 'whole.txt', content: 'whole' }])).subarray(0, -9),
  );
  const result = await place.run(['ingest', 'mixed.zip', 'cut.tar.gz', '--to', 'demo', '--json']);
  expect(result.code).toBe(6);
  expect(batchOf(result).state).toBe('completed');
  const mixed = await place.receipts(place.path('mixed.zip.manifest.jsonl'));
  expect(Object.fromEntries(mixed.map(({ path, error }) => [path, error?.code ?? 'uploaded']))).toEqual({
    'mixed.zip!/%2E%2E/out.txt': 'archive_entry_refused',
    'mixed.zip!/secret.txt': 'archive_entry_encrypted',
    'mixed.zip!/wrong.txt': 'archive_entry_broken',
    'mixed.zip!/link': 'archive_entry_refused',
    'mixed.zip!/good.txt': 'uploaded',
  });
  const cut = await place.receipts(place.path('cut.tar.gz.manifest.jsonl'));
  expect(Object.fromEntries(cut.map(({ path, error }) => [path, error?.code ?? 'uploaded']))).toEqual({
    'cut.tar.gz': 'archive_broken',
    'cut.tar.gz!/whole.txt': 'uploaded',
  });
  expect(sandbox.summary().count).toBe(2);
});
