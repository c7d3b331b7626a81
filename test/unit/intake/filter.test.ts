import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createFilter, type Filter, type FilterOptions } from '../../../src/intake/scan/filter.ts';
import { ownPathsUnder } from '../../../src/intake/scan/own-paths.ts';

function filterWith(options: Partial<FilterOptions> = {}): Filter {
  return createFilter({ include: ['**/*'], ignore: [], hidden: false, own: [], ...options });
}

test('plain files of any name and depth are accepted', () => {
  const filter = filterWith();
  for (const path of [
    'a.txt',
    'a/b/c.pdf',
    'report~',
    '文件.png',
    'with space/"quote" %.txt',
    'x'.repeat(255),
    'a\nb.txt',
    'x.swp',
  ]) {
    expect(filter.path(path, 'file'), path).toBeNull();
  }
});

test('a dot in any segment hides what is below it', () => {
  const filter = filterWith();
  expect(filter.path('.env', 'file')).toBe('hidden');
  expect(filter.path('a/.git/config', 'file')).toBe('hidden');
  expect(filter.path('.cache', 'directory')).toBe('hidden');
});

test('hidden: true takes dot files, but neither junk nor our own', () => {
  const filter = filterWith({ hidden: true });
  expect(filter.path('.env', 'file')).toBeNull();
  expect(filter.path('a/.git/config', 'file')).toBeNull();
  expect(filter.path('.DS_Store', 'file')).toBe('junk');
  expect(filter.path('.slipway-0a1b.tmp', 'file')).toBe('own');
  expect(filter.path('.slipway/redis/aof', 'file')).toBe('own');
});

test('symlinks, FIFOs and sockets are never taken', () => {
  const filter = filterWith();
  expect(filter.path('link', 'symlink')).toBe('symlink');
  expect(filter.path('pipe', 'other')).toBe('special');
});

test('ignore wins over include, and an ignored folder is ignored with all it holds', () => {
  const filter = filterWith({ include: ['**/*.pdf'], ignore: ['drafts', '**/~$*'] });
  expect(filter.path('a/b.pdf', 'file')).toBeNull();
  expect(filter.path('a/b.txt', 'file')).toBe('not_included');
  expect(filter.path('drafts/b.pdf', 'file')).toBe('ignored');
  expect(filter.path('a/~$b.pdf', 'file')).toBe('junk');
});

test('include never keeps a walk out of a folder', () => {
  expect(filterWith({ include: ['deep/er/*.pdf'] }).entry('deep', 'directory')).toBeNull();
});

test('our own files are left alone, their copies too, and their neighbours are not', () => {
  const filter = filterWith({ own: ['out/x.manifest.json', 'state'] });
  expect(filter.path('out/x.manifest.json', 'file')).toBe('own');
  expect(filter.path('out/x.manifest.json.bak', 'file')).toBe('own');
  expect(filter.path('state/sources/inbox/ledger', 'file')).toBe('own');
  expect(filter.path('out/x.manifest.jsonx', 'file')).toBeNull();
  expect(filter.path('states/a.txt', 'file')).toBeNull();
});

test('own paths count only inside the root, through symlinks as well, and never the root itself', async () => {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'slipway-own-')));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const root = join(base, 'inbox');
  await mkdir(join(root, 'state'), { recursive: true });
  await symlink(root, join(base, 'alias'));
  const paths = [
    join(base, 'alias/state'),
    join(root, 'not/there/yet.json'),
    base,
    root,
    join(base, 'inbox.manifest.json'),
  ];
  expect((await ownPathsUnder(root, paths)).sort()).toEqual(['not/there/yet.json', 'state']);
  expect(await ownPathsUnder(join(base, 'alias'), [join(root, 'state')])).toEqual(['state']);
});

test('a receipt beside a file is ours only in a source that writes such receipts', () => {
  expect(filterWith({}).path('d/x.receipt.json', 'file')).toBeNull();
  expect(filterWith({ sidecar: true }).path('d/x.receipt.json', 'file')).toBe('own');
  expect(filterWith({ sidecar: true }).path('x.receipt.json', 'directory')).toBeNull();
  expect(filterWith({ sidecar: true }).path('receipt.json', 'file')).toBeNull();
});

test('metadata beside a file is no file to send, in a source that reads it there', () => {
  expect(filterWith({}).path('d/x.meta.json', 'file')).toBeNull();
  expect(filterWith({ metaSidecar: true }).path('d/x.meta.json', 'file')).toBe('meta');
  expect(filterWith({ metaSidecar: true }).path('x.json', 'file')).toBeNull();
});
