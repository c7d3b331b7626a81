import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type BatchTally, emptyTally } from '../../../src/domain/batch-progress.ts';
import type { BatchInput } from '../../../src/domain/batch-source.ts';
import { silentLog } from '../../../src/domain/log.ts';
import { openBatchDiscovery } from '../../../src/intake/batch/batch-discovery.ts';
import type { BatchDiscoveryOptions, BatchSink } from '../../../src/intake/batch/batch-sink.ts';
import { createLeftOutNames } from '../../../src/intake/batch/left-out-names.ts';
import { anyFolder } from '../../support/batch-root.ts';

const never = new AbortController().signal;
const folder = (path: string): BatchInput => ({ kind: 'folder', path });

function newRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'slipway-batch-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

function fresh(root: string, count: number): void {
  mkdirSync(root, { recursive: true });
  for (let index = 0; index < count; index += 1) writeFileSync(join(root, `${index}.txt`), 'x');
}

function nothingFound() {
  const tally = emptyTally();
  return { tally, leftOut: createLeftOutNames(tally, 'inbox', silentLog) };
}

/** One pass over the inputs. */
async function discover(
  root: string,
  inputs: readonly BatchInput[],
  onFiles: () => void,
  more: Partial<BatchDiscoveryOptions> = {},
): Promise<{ paths: string[]; tally: BatchTally }> {
  const paths: string[] = [];
  const { tally, leftOut } = nothingFound();
  const sink = {
    async files(files: readonly { readonly name: { readonly path: string } }[]) {
      paths.push(...files.map(({ name }) => name.path));
      onFiles();
    },
    async entry() {},
    async refused() {},
  };
  const now = () => ({ wallMs: Date.now(), monotonicMs: performance.now() });
  const options = {
    ...{ source: 'inbox', root, include: ['**'], ignore: [], hidden: false, ownPaths: [] },
    ...{ settle: 300, minAge: 0, rootFolder: anyFolder(root), now, log: silentLog, ...more },
  };
  await (await openBatchDiscovery(options, sink, { tally, leftOut })).discover(inputs, never);
  return { paths, tally };
}

test('a queue that is full for hours leaves no file out that has been whole for long', async () => {
  const root = newRoot();
  fresh(root, 700);
  let waitedMs = 0;
  const now = () => ({ wallMs: Date.now(), monotonicMs: performance.now() + waitedMs });
  const onFiles = (): void => {
    waitedMs += 3_600_000;
  };
  const { paths, tally } = await discover(root, [folder('')], onFiles, { now, settle: 1_500 });
  expect(new Set(paths).size).toBe(700);
  expect(tally).toMatchObject({ files: 700, unsettled: 0 });
});

test('a file that is written all the time is given up after the patience, the others are taken', async () => {
  const root = newRoot();
  fresh(root, 3);
  const wallMs = Date.now();
  let monotonicMs = 0;
  // A second passes whenever somebody asks for the time, and the file is written to in it: the machine's own speed plays no part.
  const now = () => {
    appendFileSync(join(root, 'busy.log'), 'x');
    monotonicMs += 1_000;
    return { wallMs, monotonicMs };
  };
  now();
  const { paths, tally } = await discover(root, [folder('')], () => {}, { now, settle: 50 });
  expect(paths.sort()).toEqual(['0.txt', '1.txt', '2.txt']);
  expect(tally).toMatchObject({ files: 3, unsettled: 1 });
});

test('past the bound of files being written the walk waits for them before it goes on', async () => {
  const root = newRoot();
  fresh(join(root, 'a'), 300);
  mkdirSync(join(root, 'b'));
  // Only a walk that has not come to the second folder yet finds what is put there now.
  const onFiles = (): void => writeFileSync(join(root, 'b', 'late.txt'), 'x');
  const { paths, tally } = await discover(root, [folder('a'), folder('b')], onFiles, { maxTracked: 100 });
  expect(paths).toContain('b/late.txt');
  expect(tally).toMatchObject({ files: 301, unsettled: 0 });
});

test('what is looked at again in a folder that is gone, or in an empty one in its place, is not taken for gone', async () => {
  const root = newRoot();
  fresh(root, 1);
  const rootFolder = anyFolder(root);
  const options = {
    ...{
      source: 'inbox',
      root,
      include: ['**'],
      ignore: [],
      hidden: false,
      ownPaths: [],
      settle: 0,
      minAge: 0,
    },
    ...{ rootFolder, log: silentLog, now: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }) },
  };
  const paths: string[] = [];
  const sink: BatchSink = {
    files: async (files) => void paths.push(...files.map(({ name }) => name.path)),
    async entry() {},
    async refused() {},
  };
  const discovery = await openBatchDiscovery(options, sink, nothingFound());
  await discovery.discover([folder('')], never);
  renameSync(root, `${root}-away`);
  onTestFinished(() => rmSync(`${root}-away`, { recursive: true, force: true }));
  const again = (): Promise<void> => discovery.lookAgain([{ path: '0.txt' }], never);
  await expect(again()).rejects.toMatchObject({ code: 'source_missing' });
  mkdirSync(root);
  await expect(again()).rejects.toMatchObject({ code: 'source_unmounted' });
  rmSync(root, { recursive: true });
  renameSync(`${root}-away`, root);
  await again();
  expect(paths).toEqual(['0.txt', '0.txt']);
});

test('a file that is only too young is never given up, however much longer minAge is than the patience', async () => {
  const root = newRoot();
  for (const name of ['busy', 'young']) writeFileSync(join(root, name), 'x');
  const minAge = 40_100;
  const most = 40_000;
  // Of a time to come nobody knows the age: it is young from its first look on.
  utimesSync(join(root, 'young'), 7e9, 7e9);
  let jumpedMs = 0;
  const beganMs = performance.now();
  const now = () => {
    // The other is due soon. Then it is written to, and most of minAge has passed without a whole file.
    if (jumpedMs === 0 && performance.now() - beganMs > 40) {
      utimesSync(join(root, 'busy'), 7e9 + 1, 7e9 + 1);
      jumpedMs = most;
    }
    return { wallMs: Date.now() + most + jumpedMs, monotonicMs: performance.now() + jumpedMs };
  };
  const onFiles = (): void => {
    jumpedMs += most;
  };
  const { paths, tally } = await discover(root, [folder('')], onFiles, { now, settle: 50, minAge });
  expect(paths).toEqual(['young', 'busy']);
  expect(tally).toMatchObject({ files: 2, unsettled: 0 });
});
