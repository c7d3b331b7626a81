import { expect, test } from 'vitest';
import { type PathName, pathNameOf, topFolderOf } from '../../../src/domain/path-bytes.ts';
import { createQuietFolders, type QuietFolders } from '../../../src/intake/watch/quiet-folders.ts';

const QUIET_MS = 30_000;

function rig(): { folders: QuietFolders; stirred: string[]; scan(): string[] } {
  const stirred: string[] = [];
  const folders = createQuietFolders({ quietMs: QUIET_MS, stirred: ({ path }) => void stirred.push(path) });
  return {
    folders,
    stirred,
    scan() {
      folders.scanBegan();
      return folders.scanEnded().map(({ path }) => path);
    },
  };
}

const at = (path: string): PathName => ({ path });

test('a folder is quiet once nothing was seen in it for so long, and a scan that began then has ended', () => {
  const { folders, scan } = rig();
  folders.touch(at('a/1.txt'), 0);
  folders.touch(at('a/deep/2.txt'), 10_000);
  expect(folders.nextDueMs()).toBe(40_000);
  expect(folders.awaitScan(39_999)).toBe(false);
  expect(scan()).toEqual([]);
  expect(folders.awaitScan(40_000)).toBe(true);
  expect(folders.nextDueMs()).toBeNull();
  expect(scan()).toEqual(['a']);
  // Told once.
  expect(scan()).toEqual([]);
});

test('a scan that was under way when its time came confirms nothing', () => {
  const { folders, scan } = rig();
  folders.touch(at('a/1.txt'), 0);
  folders.scanBegan();
  folders.awaitScan(QUIET_MS);
  expect(folders.scanEnded()).toEqual([]);
  expect(scan()).toEqual(['a']);
});

test('what is seen during the scan begins the time anew', () => {
  const { folders, scan } = rig();
  folders.touch(at('a/1.txt'), 0);
  folders.awaitScan(QUIET_MS);
  folders.scanBegan();
  folders.touch(at('a/1.txt'), QUIET_MS + 100);
  expect(folders.scanEnded()).toEqual([]);
  expect(folders.nextDueMs()).toBe(2 * QUIET_MS + 100);
  folders.awaitScan(2 * QUIET_MS + 100);
  expect(scan()).toEqual(['a']);
});

test('a scan that is given up confirms nothing, and the next one does', () => {
  const { folders, scan } = rig();
  folders.touch(at('a/1.txt'), 0);
  folders.awaitScan(QUIET_MS);
  folders.scanBegan();
  expect(scan()).toEqual(['a']);
});

test('each folder has its own time, in whatever order they move', () => {
  const { folders, scan } = rig();
  folders.touch(at('a/1'), 0);
  folders.touch(at('b/1'), 1_000);
  folders.touch(at('a/2'), 2_000);
  folders.awaitScan(31_000);
  expect(scan()).toEqual(['b']);
  expect(folders.nextDueMs()).toBe(32_000);
  folders.awaitScan(40_000);
  expect(scan()).toEqual(['a']);
});

test('it is told when a folder begins to move, and again once it was quiet', () => {
  const { folders, stirred, scan } = rig();
  folders.touch(at('a/1'), 0);
  folders.touch(at('a/2'), 1);
  expect(stirred).toEqual(['a']);
  folders.awaitScan(QUIET_MS + 1);
  folders.touch(at('a/3'), QUIET_MS + 2);
  expect(stirred).toEqual(['a']);
  folders.awaitScan(2 * QUIET_MS + 2);
  scan();
  folders.touch(at('a/4'), 90_000);
  expect(stirred).toEqual(['a', 'a']);
});

test('files directly in the root belong to no folder', () => {
  const { folders, stirred } = rig();
  folders.touch(at('1.txt'), 0);
  expect([folders.nextDueMs(), stirred]).toEqual([null, []]);
  expect(topFolderOf(at('1.txt'))).toBeNull();
  expect(topFolderOf(at('a/b/c'))).toEqual({ path: 'a' });
});

test('folders whose names are not UTF-8 are told apart', () => {
  const names = [0xfe, 0xff].map((byte) => pathNameOf(Buffer.from([0x61, byte, 0x2f, 0x62])));
  const tops = names.map(topFolderOf);
  expect(tops.map((top) => top?.pathBytes)).toEqual(['Yf4=', 'Yf8=']);
  const { folders } = rig();
  for (const name of names) folders.touch(name, 0);
  folders.awaitScan(QUIET_MS);
  folders.scanBegan();
  expect(folders.scanEnded()).toEqual(tops);
});
