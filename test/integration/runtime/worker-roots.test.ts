/** Workers whose view of a source's folder is not the owner's: empty mount points, and mounts that come late. */
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { SourceReport } from '../../../src/domain/live-report.ts';
import type { Run } from '../../../src/runtime/run.ts';
import { watchForRoots } from '../../../src/runtime/worker/late-roots.ts';
import { mayMount, mountBind, unmount as unmountDisk } from '../../support/real-mount.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { autoglm, ends, GIVE_UP_MS, never, reportOf } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

const soon = { timeout: 20_000, interval: 20 };

/** How often a file was looked for in a folder that was not taken for the true one. */
function tries(rig: RunRig): number {
  return rig.log.lines.filter(({ fields }) => fields.code === 'source_root_gone').length;
}

/** The worker has said that it takes no files, and has looked at the folder again since. */
async function waits(rig: RunRig): Promise<void> {
  await vi.waitFor(
    () => expect(said(rig)).toContainEqual(expect.stringMatching(/^no files of source inbox/)),
    soon,
  );
  const before = looks(rig);
  await vi.waitFor(() => expect(looks(rig)).toBeGreaterThan(before), soon);
}

function looks(rig: RunRig): number {
  return said(rig).filter((text) => text === 'the folder is still not there').length;
}

function said(rig: RunRig): string[] {
  return rig.log.lines.map(({ message }) => message);
}

async function queued(run: Run, count: number): Promise<void> {
  await vi.waitFor(async () => {
    const { waiting, delayed } = (await reportOf(run)) as SourceReport;
    expect(waiting + delayed).toBe(count);
  }, soon);
}

/** An empty folder in the place of the one that holds the files, which it returns. */
function unmount(root: string): string {
  renameSync(root, `${root}-disk`);
  mkdirSync(root);
  return `${root}-disk`;
}

function mountAgain(root: string): void {
  rmSync(root, { recursive: true });
  renameSync(`${root}-disk`, root);
}

test('a worker alone that starts on an empty mount point lets the files wait, and sends them once the disk is there', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  for (const name of ['a', 'b']) rig.file(name);
  const intake = await rig.start({ roles: ['intake'] });
  await queued(intake, 2);
  await intake.stop(5_000);

  const root = rig.root();
  unmount(root);
  const worker = await rig.start({ roles: ['worker'] });
  await waits(rig);
  mountAgain(root);
  await vi.waitFor(() => expect(sandbox.summary().count).toBe(2), soon);
  await worker.stop(5_000);
  const after = await rig.start({ roles: ['intake'] });
  await vi.waitFor(() => expect(ends(rig)).toEqual(['a 0 uploaded', 'b 0 uploaded']), soon);
  await after.stop(5_000);
}, 60_000);

test('a worker with an empty mount waits while its owner sees files, and calls them vanished when the owner sees none', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const mount = `${rig.root()}-here`;
  mkdirSync(mount);
  for (const name of ['a', 'b']) rig.file(name);
  const intake = await rig.start({ roles: ['intake'] });
  await queued(intake, 2);
  await rig.start({ roles: ['worker'], plans: [{ ...rig.plan(), root: mount }] });
  await waits(rig);
  expect(ends(rig)).toEqual([]);

  // One of them deleted, the folder not empty: the worker's is still not the owner's.
  rmSync(join(rig.root(), 'a'));
  // Not the look that may be under way, but the one after it.
  const before = looks(rig);
  await vi.waitFor(() => expect(looks(rig)).toBeGreaterThan(before + 1), soon);
  expect(ends(rig)).toEqual([]);

  rmSync(join(rig.root(), 'b'));
  await vi.waitFor(() => expect(ends(rig)).toEqual(['a 0 vanished', 'b 0 vanished']), soon);
  expect(sandbox.summary().count).toBe(0);
}, 60_000);

test('with the owner in the process an emptied folder ends what was queued from it, an empty mount point does not', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.file('a');
  const intake = await rig.start({ roles: ['intake'] });
  await queued(intake, 1);
  await intake.stop(5_000);

  const disk = unmount(rig.root());
  const early = await rig.start();
  await expect(early.once(GIVE_UP_MS, never)).rejects.toMatchObject({ code: 'source_unmounted' });
  await early.stop(5_000);
  expect(ends(rig)).toEqual([]);

  rmSync(join(disk, 'a'));
  mountAgain(rig.root());
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(ends(rig)).toEqual(['a 0 vanished']);
}, 60_000);

test('a worker on an empty mount point takes no files from one that sees them, and takes part once it is mounted', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 10 } });
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: 2 });
  const mount = `${rig.root()}-here`;
  mkdirSync(mount);
  rig.files(200);
  const intake = await rig.start({ roles: ['intake'] });
  await queued(intake, 200);
  await rig.start({ roles: ['worker'], plans: [{ ...rig.plan(), root: mount }] });
  await waits(rig);
  const taken = tries(rig);
  // What it had in hand when it noticed: its uploads at once, and those it takes beside them.
  expect(taken).toBeLessThanOrEqual(60);
  const good = await rig.start({ roles: ['worker'] });
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(200), soon);
  expect(tries(rig)).toBe(taken);
  await good.stop(5_000);

  // A link in the folder's place would not be followed: it has to be a mount.
  if (!mayMount()) return;
  mountBind(rig.root(), mount);
  onTestFinished(() => unmountDisk(mount));
  await vi.waitFor(
    () => expect(said(rig)).toContainEqual(expect.stringMatching(/^opened the queue .* again/)),
    soon,
  );
  rig.file('late.txt');
  await vi.waitFor(() => expect(ends(rig)).toContain('late.txt 0 uploaded'), soon);
  expect(ends(rig).filter((end) => !end.endsWith(' uploaded'))).toEqual([]);
}, 60_000);

test('a worker opens the queue of a folder that appears after its start, with its other sources or as its first', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), sources: ['early', 'late'] });
  rig.file('a', 'a', 'early');
  rig.file('b', 'b', 'late');
  await rig.start({ roles: ['intake'] });
  const here = (source: string) => ({ ...rig.plan(source), root: `${rig.root(source)}-here` });
  const plans = [here('early'), here('late')];
  const worker = await rig.start({ roles: ['worker'], plans });
  const saidAt = (level: string) =>
    rig.log.lines.filter((line) => line.level === level).map(({ message }) => message);
  expect(saidAt('warn')).toEqual(
    ['early', 'late'].map((name) =>
      expect.stringContaining(`this worker does not serve source ${name} yet: source ${name}: the folder`),
    ),
  );
  expect((await worker.report()).serves).toEqual([]);
  for (const [index, name] of ['early', 'late'].entries()) {
    // As a mount that comes: all at once, with what lies there.
    symlinkSync(rig.root(name), here(name).root);
    await vi.waitFor(
      () => expect(rig.receipts(name).map(({ status }) => status)).toEqual(['uploaded']),
      soon,
    );
    expect(saidAt('info').filter((text) => text.startsWith('opened the queue'))).toEqual(
      ['early', 'late'].slice(0, index + 1).map((one) => expect.stringContaining(`of source ${one}: `)),
    );
  }
  expect((await worker.report()).serves).toEqual(['early', 'late']);
  expect(sandbox.summary().count).toBe(2);
}, 60_000);

test('a worker that stops before a folder is there opens nothing any more, and what it still misses it says again', async () => {
  const rig = await runRig({ definition: autoglm(await sandboxForTest()) });
  const root = `${rig.root()}-here`;
  const open = vi.fn();
  const tell = vi.fn();
  let atMs = 0;
  const watch = watchForRoots({
    ...{ unseen: [{ ...rig.plan(), root }], open, tell, log: rig.log },
    monotonicMs: () => (atMs += 300_000),
  });
  await vi.waitFor(
    () =>
      expect(tell).toHaveBeenCalledExactlyOnceWith(
        { sources: ['inbox'] },
        'this worker still does not see the folders of: inbox',
      ),
    soon,
  );
  watch.close();
  mkdirSync(root);
  const other = watchForRoots({
    ...{ unseen: [{ ...rig.plan(), root }], open, tell, log: rig.log },
    monotonicMs: () => 0,
  });
  await vi.waitFor(() => expect(open).toHaveBeenCalled(), soon);
  other.close();
  expect(open).toHaveBeenCalledTimes(1);
}, 60_000);
