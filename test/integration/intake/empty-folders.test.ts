import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFilter } from '../../../src/intake/scan/filter.ts';
import { rescan } from '../../../src/intake/scan/rescan.ts';
import { createFileStats } from '../../../src/intake/scan/stat-files.ts';
import { createPreWatch } from '../../../src/intake/watch/pre-watch.ts';

const FOLDERS = 1_000;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-empty-'));
  await mkdir(join(root, 'tree'));
  for (let n = 0; n < FOLDERS; n += 1) await mkdir(join(root, 'tree', `folder-${n}`));
  await writeFile(join(root, 'tree', 'folder-7', 'file'), 'x');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const filter = createFilter({ include: ['**/*'], ignore: [], hidden: false, own: [] });
const signal = new AbortController().signal;
// On the event loop: that is where a walk without a turn would hold up everything else.
const looks = () =>
  createFileStats(
    root,
    () => true,
    () => performance.now(),
  );

test('a scan of folders with nothing in them lets others have their turn', async () => {
  const entered: string[] = [];
  const seen: string[] = [];
  let steps = 0;
  const report = { ignored: () => undefined, unobservable: () => undefined };
  const scan = rescan({
    ...{ root, fileStats: looks(), filter, signal, report, start: { path: 'tree' } },
    entering: ({ path }) => entered.push(path),
    descend: () => true,
  });
  for await (const files of scan) {
    steps += 1;
    seen.push(...files.map(({ name }) => name.path));
  }
  expect(entered).toHaveLength(FOLDERS + 1);
  expect(seen).toEqual(['tree/folder-7/file']);
  // Each step is a turn of the event loop. Once through the list, once through the folders, 128 at a time.
  expect(steps).toBeGreaterThan((2 * FOLDERS) / 128 - 2);
});

test('the scout goes through them in steps as well', async () => {
  const entered: string[] = [];
  const scout = createPreWatch({
    ...{ root, filter, fileStats: looks() },
    entering: ({ path }) => entered.push(path),
    isFollowed: () => true,
  });
  let steps = 0;
  for (; scout.pending(); steps += 1) {
    const before = entered.length;
    await scout.step(signal);
    expect(entered.length - before).toBeLessThanOrEqual(128);
  }
  expect(entered).toHaveLength(FOLDERS + 2);
  expect(steps).toBeGreaterThan(FOLDERS / 128);
});
