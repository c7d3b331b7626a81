import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withoutOwnFiles } from '../../../src/intake/scan/own-files.ts';
import type { SeenFile } from '../../../src/intake/scan/seen-file.ts';
import { installationId, openDataDir } from '../../../src/ledger/store/data-dir.ts';
import { lineOf, testFolder } from '../../support/record-rig.ts';

function seen(path: string, size = 1): SeenFile {
  return { name: { path }, size, mtimeNs: '1', mtimeMs: 1, ctimeMs: 1, dev: 1n, ino: 1n, birthtimeNs: 1n };
}

test('a receipt that Slipway wrote is told from a file of the user by what is in it', async () => {
  const root = testFolder();
  writeFileSync(join(root, 'ours.pdf.receipt.json'), `${lineOf('ours.pdf')}\n`);
  writeFileSync(join(root, 'bill.receipt.json'), '{"v":1,"id":"bill-7","total":12}');
  writeFileSync(join(root, 'broken.receipt.json'), '{"v":1,');
  symlinkSync(join(root, 'ours.pdf.receipt.json'), join(root, 'link.receipt.json'));
  const files = [
    'a.txt',
    'bill.receipt.json',
    'broken.receipt.json',
    'gone.receipt.json',
    'link.receipt.json',
  ].map((path) => seen(path));
  const kept = await withoutOwnFiles(root, [...files, seen('ours.pdf.receipt.json')]);
  expect(kept).toEqual(files);
});

test('other files are not read at all', async () => {
  const files = [seen('a.txt'), seen('b.pdf')];
  expect(await withoutOwnFiles('/does/not/exist', files)).toBe(files);
});

test('manifests and journals of other runs are known by what is in them, whatever they are called', async () => {
  const root = testFolder();
  const ours: Record<string, string> = {
    'x.manifest.json':
      '{"v":1,"generatedAt":"2026-01-01T00:00:00.000Z","counts":{"uploaded":1,"failed":0,"skipped":0},"files":[]}',
    'batch.json':
      '{"v":1,"batch":"b1","source":"inbox","endedAt":"2026-01-01T00:00:00.000Z","counts":{"uploaded":1},"files":[]}',
    'anything.jsonl': `${lineOf('a.pdf')}\n${lineOf('b.pdf')}\n`,
    'x.manifest.json.bak': '{"v":1,"generatedAt":"2026-01-01T00:00:00.000Z","counts":{"uploaded":1}}',
  };
  const theirs: Record<string, string> = {
    'counts.json': '{"v":1,"counts":{"uploaded":"yes"}}',
    'package.json': '{"name":"x","version":"1.0.0"}',
    'log.jsonl': '{"v":1,"id":"7","path":"a"}\n',
    'empty.json': '',
  };
  for (const [name, text] of Object.entries({ ...ours, ...theirs })) writeFileSync(join(root, name), text);
  const kept = await withoutOwnFiles(
    root,
    [...Object.keys(ours), ...Object.keys(theirs)].map((path) => seen(path)),
  );
  expect(kept.map(({ name }) => name.path)).toEqual(Object.keys(theirs));
});

test('a data folder is left alone wherever it lies, and by nothing but what makes it one', async () => {
  const root = testFolder();
  for (const folder of ['a/state/redis', 'b/redis']) mkdirSync(join(root, folder), { recursive: true });
  await openDataDir(join(root, 'a/state'));
  await installationId(join(root, 'a/state'));
  writeFileSync(join(root, 'b/version'), '1\n');
  writeFileSync(join(root, 'b/installation'), 'how to install it');
  const paths = [
    'a/state/version',
    'a/state/redis/dump.rdb',
    'a/other.txt',
    'b/version',
    'b/installation',
    'b/redis/x',
  ];
  const kept = await withoutOwnFiles(
    root,
    paths.map((path) => seen(path)),
  );
  expect(kept.map(({ name }) => name.path)).toEqual([
    'a/other.txt',
    'b/version',
    'b/installation',
    'b/redis/x',
  ]);
});
