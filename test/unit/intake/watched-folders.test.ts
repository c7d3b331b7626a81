import { expect, test } from 'vitest';
import { pathNameOf } from '../../../src/domain/path-bytes.ts';
import { createFilter } from '../../../src/intake/scan/filter.ts';
import { chooseEventSource } from '../../../src/intake/watch/source-choice.ts';
import { createWatchedFolders, pathOfWatched } from '../../../src/intake/watch/watched-folders.ts';

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

test('Linux gets a watch per folder, other systems chokidar', () => {
  const filter = createFilter({ include: ['**/*'], ignore: [], hidden: false, own: [] });
  const isPerFolder = (platform: NodeJS.Platform): boolean =>
    chooseEventSource('/nowhere', filter, platform).follower !== undefined;
  expect(isPerFolder('linux')).toBe(true);
  expect(isPerFolder('darwin')).toBe(false);
  expect(isPerFolder('win32')).toBe(false);
});
