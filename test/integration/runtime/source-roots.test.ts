import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import { startRootGuard } from '../../../src/intake/watch/root-guard.ts';
import { openKeptRoot } from '../../../src/ledger/tables/root-memory.ts';
import { folderIdentityOf } from '../../../src/platform/files/folder-identity.ts';
import { fileFailure } from '../../../src/upload/attempt/file-check.ts';
import { createRootCheck, type RootKnowledge } from '../../../src/upload/root-check.ts';
import { startIntakeRig } from '../../support/intake-rig.ts';
import { mayMount, mountBind, unmount } from '../../support/real-mount.ts';
import { storeIn, testFolder } from '../../support/record-rig.ts';

const soon = { timeout: 15_000, interval: 20 };
const EMPTY = expect.stringContaining('is empty and is not the one that held files before');
const NOT_THERE = Object.assign(new Error('no such file'), { code: 'ENOENT' });

/** Nobody has told this process anything. */
const untold: RootKnowledge = { held: () => null, emptied: async () => false };

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-root-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function identityOf(folder: string): Promise<string> {
  const identity = await folderIdentityOf(folder);
  if (identity === null) throw new Error(`no folder ${folder}`);
  return identity;
}

test('an empty folder in the place of the one that held files counts as missing until something lies in it', async () => {
  await using rig = await startIntakeRig({
    prepare: (root) => writeFileSync(join(root, 'a'), 'a'),
    autoRecord: true,
  });
  await rig.intake.caughtUp();
  renameSync(rig.root, join(rig.beside, 'away'));
  mkdirSync(rig.root);
  await vi.waitFor(() => expect(rig.intake.counts().root).toBe('unmounted'), soon);
  await expect(rig.intake.caughtUp()).rejects.toMatchObject({ code: 'source_unmounted' });
  expect(rig.warnings).toEqual([EMPTY]);
  // The user means it: the new folder is taken as it is.
  writeFileSync(join(rig.root, 'b'), 'b');
  await vi.waitFor(() => expect(rig.paths()).toEqual(['a', 'b']), soon);
  expect([rig.intake.counts().root, rig.warnings.length]).toEqual(['present', 1]);
});

test('a folder that is emptied stays what it is: nothing waits and nothing is warned of', async () => {
  await using rig = await startIntakeRig({
    prepare: (root) => writeFileSync(join(root, 'a'), 'a'),
    autoRecord: true,
  });
  await rig.intake.caughtUp();
  rmSync(join(rig.root, 'a'));
  await rig.intake.caughtUp();
  expect([rig.intake.counts().root, rig.warnings]).toEqual(['present', []]);
});

test('a start on an empty mount point is known for one, whatever process saw the files before', async () => {
  const place = scratch();
  const root = join(place, 'inbox');
  mkdirSync(root);
  const folder = testFolder();
  let store = await storeIn(folder);
  openKeptRoot(store.ledger, root, silentLog).remember(await identityOf(root));
  await store.close();

  renameSync(root, join(place, 'away'));
  mkdirSync(root);
  store = await storeIn(folder);
  onTestFinished(() => store.close());
  const appeared = vi.fn();
  const kept = openKeptRoot(store.ledger, root, silentLog);
  const guard = await startRootGuard(root, 60_000, kept, { gone: vi.fn(), appeared });
  onTestFinished(() => guard.stop());
  expect(guard.state()).toBe('unmounted');
  // Under another path the folder before says nothing.
  expect(openKeptRoot(store.ledger, `${root}2`, silentLog).held()).toBeNull();

  rmSync(root, { recursive: true });
  renameSync(join(place, 'away'), root);
  expect(await guard.check()).toBe('present');
  expect(appeared).toHaveBeenCalledOnce();
});

test.skipIf(!mayMount())(
  'a mount that is lost takes no file with it, neither for intake nor for an upload',
  async () => {
    const disk = scratch();
    let root = '';
    await using rig = await startIntakeRig({
      settle: 100,
      autoRecord: true,
      prepare(folder) {
        root = folder;
        mountBind(disk, folder);
        for (const name of ['a', 'b']) writeFileSync(join(folder, name), name);
      },
    });
    let mounted = true;
    try {
      await rig.intake.caughtUp();
      const rootCheck = createRootCheck(root, untold, await identityOf(root));
      expect(await fileFailure(NOT_THERE, { root, rootCheck })).toMatchObject({ code: 'file_vanished' });

      unmount(root);
      mounted = false;
      expect(await fileFailure(NOT_THERE, { root, rootCheck })).toMatchObject({ code: 'source_root_gone' });
      await vi.waitFor(() => expect(rig.intake.counts().root).toBe('unmounted'), soon);

      mountBind(disk, root);
      mounted = true;
      writeFileSync(join(root, 'c'), 'c');
      await vi.waitFor(() => expect(rig.paths()).toEqual(['a', 'b', 'c']), soon);
      expect(await fileFailure(NOT_THERE, { root, rootCheck })).toMatchObject({ code: 'file_vanished' });
      expect(rig.warnings).toEqual([EMPTY]);
    } finally {
      if (mounted) unmount(root);
    }
  },
);

test('for an upload too, another folder in which something lies is the new one', async () => {
  const root = join(scratch(), 'inbox');
  mkdirSync(root);
  const rootCheck = createRootCheck(root, untold, await identityOf(root));
  // Kept beside it: its inode must not be given to the new one.
  renameSync(root, `${root}-old`);
  mkdirSync(root);
  expect(await rootCheck.present()).toBe(false);
  writeFileSync(join(root, 'a'), 'a');
  expect(await rootCheck.present()).toBe(true);
  // From here on it is the folder that is meant, and may be emptied.
  rmSync(join(root, 'a'));
  expect(await rootCheck.present()).toBe(true);
});

test('an empty folder that nobody knows is no proof that a file was deleted; who knows it decides', async () => {
  const root = join(scratch(), 'inbox');
  mkdirSync(root);
  const identity = await identityOf(root);
  const failure = async (known: Partial<RootKnowledge>) =>
    (await fileFailure(NOT_THERE, { root, rootCheck: createRootCheck(root, { ...untold, ...known }, null) }))
      .code;
  expect(await failure({})).toBe('source_root_gone');
  expect(await failure({ held: () => '1:2:3' })).toBe('source_root_gone');
  expect(await failure({ held: () => identity })).toBe('file_vanished');
  expect(await failure({ emptied: async () => true })).toBe('file_vanished');
  // An owner that has seen files since then knows more than it did at the start.
  let held: string | null = null;
  const rootCheck = createRootCheck(root, { ...untold, held: () => held }, null);
  expect(await rootCheck.present()).toBe(false);
  held = identity;
  expect(await rootCheck.present()).toBe(true);
  // A yes is of its moment: it makes no folder the true one.
  let emptied = true;
  const remote = createRootCheck(root, { held: () => null, emptied: async () => emptied }, null);
  expect(await remote.present()).toBe(true);
  emptied = false;
  expect(await remote.present()).toBe(false);
  // What does not look empty needs nobody's word.
  writeFileSync(join(root, 'a'), 'a');
  expect(await failure({})).toBe('file_vanished');
});

// Only the super-user can become somebody who may not enter a folder.
test.skipIf(process.getuid?.() !== 0)(
  'a root that may not be entered makes its files wait, a file that may not be read is refused',
  async () => {
    const root = join(scratch(), 'inbox');
    mkdirSync(root, { mode: 0o700 });
    const refused = Object.assign(new Error('no'), { code: 'EACCES' });
    expect(await fileFailure(refused, { root })).toMatchObject({ code: 'file_unreadable' });
    process.seteuid?.(65_534);
    try {
      expect(await fileFailure(refused, { root })).toMatchObject({ code: 'source_root_closed' });
    } finally {
      process.seteuid?.(0);
    }
  },
);
