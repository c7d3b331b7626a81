import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../src/domain/log.ts';
import { type BatchDiscoveryOptions, openBatchDiscovery } from '../../src/intake/batch-discovery.ts';
import { type BatchInput, type BatchTally, emptyTally } from '../../src/intake/batch-sink.ts';
import { anyFolder } from '../support/batch-root.ts';

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

/** One pass over the inputs. */
async function discover(
  root: string,
  inputs: readonly BatchInput[],
  onFiles: () => void,
  more: Partial<BatchDiscoveryOptions> = {},
): Promise<{ paths: string[]; tally: BatchTally }> {
  const paths: string[] = [];
  const tally = emptyTally();
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
  await (await openBatchDiscovery(options, sink, tally)).discover(inputs, never);
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
  // A thousand times as fast as it is.
  const now = () => {
    appendFileSync(join(root, 'busy.log'), 'x');
    return { wallMs: Date.now(), monotonicMs: performance.now() * 1_000 };
  };
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
