import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { pathNameOf } from '../../src/domain/path-bytes.ts';
import { createFilter } from '../../src/intake/filter.ts';
import { createSourceChoice } from '../../src/intake/source-choice.ts';
import { holdsMoreThan } from '../../src/intake/tree-size.ts';
import { createWatchedFolders, pathOfWatched } from '../../src/intake/watched-folders.ts';

test('a folder that goes takes all below it along, and nothing else', () => {
  const folders = createWatchedFolders<string>();
  for (const path of ['', 'a', 'a/b', 'a/b/c', 'ab']) folders.at({ path }).watch = path;
  const a = folders.find('a');
  expect(a === null ? [] : folders.remove(a).sort()).toEqual(['a', 'a/b', 'a/b/c']);
  expect([folders.find('a/b'), folders.find('ab')?.watch]).toEqual([null, 'ab']);
});

test('what a whole scan has not met is swept out, what it has met stays', () => {
  const folders = createWatchedFolders<string>();
  for (const [path, scan] of [
    ['a', 2],
    ['a/old', 1],
    ['gone', 1],
    ['gone/deep', 1],
    ['new', 2],
  ] as const) {
    const folder = folders.at({ path });
    folder.watch = path;
    folder.scan = scan;
  }
  expect(folders.sweep(2).sort()).toEqual(['a/old', 'gone', 'gone/deep']);
  expect(folders.sweep(2)).toEqual([]);
  expect(folders.find('new')?.watch).toBe('new');
});

test('names that are not UTF-8 keep apart, below the same proper folders, and are told lossy', () => {
  const folders = createWatchedFolders<number>();
  const named = (latin1: string) => folders.at(pathNameOf(Buffer.from(latin1, 'latin1')));
  const [first, second] = [named('a/x\xff'), named('a/x\xfe')];
  expect(first).not.toBe(second);
  expect(first.parent).toBe(folders.at({ path: 'a' }));
  expect([pathOfWatched(first), pathOfWatched(second)]).toEqual(['a/x\uFFFD', 'a/x\uFFFD']);
});

function tree(files: number): string {
  const root = mkdtempSync(join(tmpdir(), 'slipway-size-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'a/b'), { recursive: true });
  mkdirSync(join(root, '.git'));
  for (let file = 0; file < files; file += 1)
    writeFileSync(join(root, file % 2 === 0 ? 'a/b' : '', `${file}`), '');
  for (let file = 0; file < 50; file += 1) writeFileSync(join(root, '.git', `${file}`), '');
  return root;
}

const filter = createFilter({ include: ['**/*'], ignore: [], hidden: false, own: [] });

test('files that count are counted up to the limit; a tree that takes too long counts as large', async () => {
  const root = tree(20);
  const still = { root, filter, budgetMs: 500, monotonicMs: () => 0 };
  expect(await holdsMoreThan(20, still)).toBe(false);
  expect(await holdsMoreThan(19, still)).toBe(true);
  let nowMs = 0;
  const slow = { ...still, monotonicMs: () => (nowMs += 400) };
  expect(await holdsMoreThan(1_000, slow)).toBe(true);
});

test('small trees and other systems get chokidar, large ones on Linux a watch per folder; a tree may outgrow its source', async () => {
  const root = tree(20);
  const choose = (platform: NodeJS.Platform, largeTreeFiles: number) =>
    createSourceChoice({ root, filter, platform, largeTreeFiles, monotonicMs: () => 0 });
  const isPerFolder = async (platform: NodeJS.Platform, limit: number): Promise<boolean> =>
    (await choose(platform, limit).first()).follower !== undefined;
  expect(await isPerFolder('linux', 100)).toBe(false);
  expect(await isPerFolder('linux', 10)).toBe(true);
  expect(await isPerFolder('darwin', 10)).toBe(false);

  const choice = choose('linux', 100);
  const small = await choice.first();
  expect(choice.instead(small, 100)).toBeNull();
  const large = choice.instead(small, 101);
  expect(large?.follower).toBeDefined();
  expect(large === null ? null : choice.instead(large, 1_000_000)).toBeNull();
  expect(choose('darwin', 100).instead(small, 101)).toBeNull();
});
