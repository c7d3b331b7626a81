/** Which folder a batch is about: an empty mount point in its place is not it, whoever looks. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { filledFolderIdentityOf } from '../../../src/platform/files/folder-identity.ts';
import { ALL, BATCH, foundBefore, handOver, partOf, startBatch } from '../../support/batch-part.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { autoglm, GIVE_UP_MS, never } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

/** As after a restart, before the disk is mounted. */
function unmount(rig: RunRig): () => void {
  renameSync(rig.root(), `${rig.root()}-away`);
  mkdirSync(rig.root());
  return () => {
    rmSync(rig.root(), { recursive: true });
    renameSync(`${rig.root()}-away`, rig.root());
  };
}

test('an owner that sees an empty folder where the batch was asked for with files in it concludes nothing', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(3);
  const rootIdentity = await filledFolderIdentityOf(rig.root());
  const part = { ...partOf(rig, ALL), ...(rootIdentity === null ? {} : { rootIdentity }) };
  expect(part.rootIdentity).toBeDefined();
  // The owner has never seen a file: nothing but the batch tells it which folder is meant.
  const mount = unmount(rig);
  const run = await rig.start();
  const early = await handOver(rig, part);
  await expect(early.once(GIVE_UP_MS, never)).rejects.toThrow(/is empty and is not the folder that held/);
  expect(run.batch(BATCH)).toMatchObject([{ end: null }]);
  mount();
  const late = await handOver(rig, part);
  expect(await late.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(late.progress()).toMatchObject([{ end: { counts: { discovered: 3, uploaded: 3 } } }]);
}, 30_000);

test('the folder that a batch was asked for may be empty by now, or be another one with files in it', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.file('a.txt');
  const rootIdentity = (await filledFolderIdentityOf(rig.root())) ?? '';
  const moved = await startBatch(rig, { ...partOf(rig, ALL), rootIdentity: `another than ${rootIdentity}` });
  expect(await moved.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(moved.batch(BATCH)).toMatchObject([{ end: { counts: { uploaded: 1 } } }]);
  await moved.stop(2_000);
  rmSync(`${rig.root()}/a.txt`);
  const batch = 'b20261122T010203Z-abcdee';
  const emptied = await startBatch(rig, { ...partOf(rig, ALL), batch, rootIdentity });
  expect(await emptied.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(emptied.batch(batch)).toMatchObject([{ end: { counts: { discovered: 0 } } }]);
}, 30_000);

test('a batch of an older version, which remembered no folder, loses no file to an empty mount point', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const part = partOf(rig, ALL);
  await foundBefore(rig, part);
  const early = await startBatch(rig, part);
  await expect(early.once(GIVE_UP_MS, never)).rejects.toMatchObject({ code: 'source_unmounted' });
  expect(early.batch(BATCH)).toMatchObject([{ end: null, members: 1, done: 0 }]);
  await early.stop(2_000);
  rig.files(2);
  const late = await startBatch(rig, part);
  expect(await late.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(late.batch(BATCH)).toMatchObject([{ end: { counts: { discovered: 2, uploaded: 2 } } }]);
}, 30_000);

test('the folder is known from the first look on, also where nothing in it is taken', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.file('.hidden');
  const first = await startBatch(rig, partOf(rig, ALL));
  expect(await first.once(GIVE_UP_MS, never)).toEqual(['drained']);
  await first.stop(2_000);
  unmount(rig);
  const next = await startBatch(rig, { ...partOf(rig, ALL), batch: 'b20261122T010203Z-abcdee' });
  await expect(next.once(GIVE_UP_MS, never)).rejects.toMatchObject({ code: 'source_unmounted' });
}, 30_000);
