/** Workers whose view of a source's folder is not the owner's: empty mount points, and mounts that come late. */
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { watchForRoots } from '../../src/runtime/late-roots.ts';
import type { SourceReport } from '../../src/runtime/live-report.ts';
import type { Run } from '../../src/runtime/run.ts';
import { type RunRig, runRig } from '../support/run-rig.ts';
import { autoglm, ends, GIVE_UP_MS, never, reportOf } from '../support/run-steps.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const soon = { timeout: 20_000, interval: 20 };

/** A file has been looked for in a folder that was not taken for the true one. */
async function waitedFor(rig: RunRig, times = 1): Promise<void> {
  await vi.waitFor(() => {
    const tries = rig.log.lines.filter(({ fields }) => fields.code === 'source_root_gone');
    expect(tries.length).toBeGreaterThanOrEqual(times);
  }, soon);
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
  await waitedFor(rig, 2);
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
  await waitedFor(rig, 4);
  expect(ends(rig)).toEqual([]);

  // One of them deleted, the folder not empty: the worker's is still not the owner's.
  rmSync(join(rig.root(), 'a'));
  const before = rig.log.lines.length;
  await vi.waitFor(
    () =>
      expect(rig.log.lines.slice(before).some(({ fields }) => fields.code === 'source_root_gone')).toBe(true),
    soon,
  );
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

test('a worker opens the queue of a folder that appears after its start, with its other sources or as its first', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), sources: ['early', 'late'] });
  rig.file('a', 'a', 'early');
  rig.file('b', 'b', 'late');
  await rig.start({ roles: ['intake'] });
  const here = (source: string) => ({ ...rig.plan(source), root: `${rig.root(source)}-here` });
  const plans = [here('early'), here('late')];
  const worker = await rig.start({ roles: ['worker'], plans });
  const said = (level: string) =>
    rig.log.lines.filter((line) => line.level === level).map(({ message }) => message);
  expect(said('warn')).toEqual(
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
    expect(said('info').filter((text) => text.startsWith('opened the queue'))).toEqual(
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
