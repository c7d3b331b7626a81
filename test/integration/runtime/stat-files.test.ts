import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFileStats } from '../../../src/intake/scan/stat-files.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-looks-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('on the event loop and through the thread pool the same is seen, in the order asked', async () => {
  await writeFile(join(root, 'a.txt'), 'abc');
  await mkdir(join(root, 'folder'));
  await symlink('a.txt', join(root, 'link'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  const wanted = ['file', 'directory', 'symlink', 'other', 'gone', 'gone', 'unobservable', 'directory'];
  const names = ['a.txt', 'folder', 'link', 'pipe', 'missing', 'a.txt/below', `${'x'.repeat(300)}`, ''];
  const asked = names.map((path) => ({ path }));
  const here = await createFileStats(
    root,
    () => true,
    () => 0,
  ).at(asked);
  const there = await createFileStats(
    root,
    () => false,
    () => 0,
  ).at(asked);
  expect(here.map(({ kind }) => kind)).toEqual(wanted);
  expect(there.map(({ kind }) => kind)).toEqual(wanted);
  expect(here[0]).toEqual(there[0]);
});

test('many looks on the event loop let other work in between', async () => {
  const names = Array.from({ length: 1_000 }, (_, index) => ({ path: `missing-${index}` }));
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns += 1;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  expect(
    await createFileStats(
      root,
      () => true,
      () => 0,
    ).at(names),
  ).toHaveLength(1_000);
  counting = false;
  expect(turns).toBeGreaterThanOrEqual(10);
});

test('after a run of looks that was slow the event loop is spared for two seconds', async () => {
  let nowMs = 0;
  let tookMs = 21;
  let clockReads = 0;
  // Read before a run, and once or twice after one that ran on the event loop.
  const looks = createFileStats(
    root,
    () => true,
    () => {
      clockReads += 1;
      nowMs += clockReads % 3 === 0 ? tookMs : 0;
      return nowMs;
    },
  );
  const readsOf = async (): Promise<number> => {
    clockReads = 0;
    await looks.at([{ path: 'missing' }]);
    return clockReads;
  };
  expect(await readsOf()).toBe(4);
  expect(await readsOf()).toBe(1);
  nowMs += 2_000;
  tookMs = 0;
  expect(await readsOf()).toBe(3);
});
