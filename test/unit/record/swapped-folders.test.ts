/** A folder is moved away and a link left in its place, between a receipt and what follows it (G4, G9). */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { AfterActions } from '../../../src/domain/after-action.ts';
import type { ActionStep } from '../../../src/record/after/after-actions.ts';
import { type AfterActionRig, afterActionRig, receiptFor } from '../../support/after-action-rig.ts';
import { folderOnOtherDisk } from '../../support/other-disk.ts';

/** What became of it once it had its time: old, so that the twin outside can have the very same. */
const AT = new Date('2026-01-02T03:04:05Z');

type Wanted = (rig: AfterActionRig) => AfterActions;
const ACTIONS: readonly [string, Wanted][] = [
  ['keep with a sidecar', () => ({ onSuccess: 'keep', onFailure: 'keep', sidecar: true })],
  ['delete', () => ({ onSuccess: 'delete', onFailure: 'keep' })],
  ['delete with a sidecar', () => ({ onSuccess: 'delete', onFailure: 'keep', sidecar: true })],
  ['moveTo', ({ folder }) => ({ onSuccess: { moveTo: join(folder, 'done') }, onFailure: 'keep' })],
  [
    'moveTo with a sidecar',
    ({ folder }) => ({ onSuccess: { moveTo: join(folder, 'done') }, onFailure: 'keep', sidecar: true }),
  ],
];
const MOMENTS: readonly (ActionStep | 'before')[] = ['before', 'aside', 'acting'];
const DISKS = ['the same disk', 'another disk'] as const;

const CASES = ACTIONS.flatMap(([name, wanted]) =>
  MOMENTS.flatMap((moment) => DISKS.map((disk) => ({ name, wanted, moment, disk }))),
);

/** A file with the same name, bytes and time as the one that was sent: nothing but where it lies tells them apart. */
function twinIn(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'a.txt'), 'content');
  utimesSync(join(folder, 'a.txt'), AT, AT);
}

test.each(CASES)(
  '$name, swapped $moment, outside on $disk: nothing outside is touched',
  async ({ wanted, moment, disk }) => {
    const rig = afterActionRig({ onSuccess: 'keep', onFailure: 'keep' });
    const outside = disk === 'another disk' ? folderOnOtherDisk() : join(rig.folder, 'outside');
    if (outside === null) return;
    twinIn(outside);
    twinIn(join(rig.root, 'd'));
    const actions = wanted(rig);
    rig.record([receiptFor(rig.root, { path: 'd/a.txt' })], actions);
    let swapped = false;
    const swap = (): void => {
      if (swapped) return;
      swapped = true;
      renameSync(join(rig.root, 'd'), join(rig.folder, 'moved'));
      symlinkSync(outside, join(rig.root, 'd'));
    };
    if (moment === 'before') swap();
    await rig.finish({ ...actions, failpoint: (step) => (step === moment ? swap() : undefined) });
    expect(swapped).toBe(true);
    expect(readdirSync(outside)).toEqual(['a.txt']);
    expect(readFileSync(join(outside, 'a.txt'), 'utf8')).toBe('content');
    // What was moved away is as it was, under its own name.
    expect(readdirSync(join(rig.folder, 'moved'))).toEqual(['a.txt']);
    expect(existsSync(join(rig.folder, 'done/d/a.txt'))).toBe(false);
    expect(rig.ledger.intents.count()).toBe(0);
  },
);

test.each(DISKS)(
  'a link inside the moveTo folder, to %s, is not followed: the file stays, and goes once the link is gone',
  async (disk) => {
    const rig = afterActionRig({ onSuccess: 'keep', onFailure: 'keep' });
    const outside = disk === 'another disk' ? folderOnOtherDisk() : join(rig.folder, 'outside');
    if (outside === null) return;
    mkdirSync(outside, { recursive: true });
    const done = join(rig.folder, 'done');
    mkdirSync(done);
    symlinkSync(outside, join(done, 'd'));
    rig.write('d/a.txt');
    const actions: AfterActions = { onSuccess: { moveTo: done }, onFailure: 'keep', sidecar: true };
    rig.record([receiptFor(rig.root, { path: 'd/a.txt' })], actions);
    const runner = rig.start({ ...actions, retryMs: 20 });
    await runner.settled();
    expect(readdirSync(outside)).toEqual([]);
    expect(rig.files()).toEqual(['d/a.txt']);
    renameSync(join(done, 'd'), join(rig.folder, 'the-link'));
    await vi.waitFor(() => expect(rig.files('done')).toEqual(['d/a.txt', 'd/a.txt.receipt.json']));
  },
);

test('the root itself is moved away and a link left in its place: it is like a root that is not there', async () => {
  const rig = afterActionRig({ onSuccess: 'delete', onFailure: 'keep' });
  rig.write('a.txt');
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  const moved = join(rig.folder, 'moved');
  const runner = rig.start({
    retryMs: 20,
    failpoint(step) {
      if (step !== 'aside' || existsSync(moved)) return;
      renameSync(rig.root, moved);
      symlinkSync(moved, rig.root);
    },
  });
  await runner.settled();
  expect(rig.files('moved')).toEqual(['a.txt']);
  expect(rig.ledger.intents.count()).toBe(1);
});

test('another file with the same size and time took its place after the upload: it stays', async () => {
  const rig = afterActionRig({ onSuccess: 'delete', onFailure: 'keep' });
  twinIn(join(rig.root, 'd'));
  rig.record([receiptFor(rig.root, { path: 'd/a.txt' })], undefined, { asSeenNow: true });
  twinIn(join(rig.folder, 'new'));
  renameSync(join(rig.folder, 'new/a.txt'), join(rig.root, 'd/a.txt'));
  await rig.finish();
  expect(rig.files()).toEqual(['d/a.txt']);
  expect(rig.ledger.intents.count()).toBe(0);
});

test('what a kill left of a receipt or of a copy goes, also when it is not wanted any more', async () => {
  const rig = afterActionRig({ onSuccess: 'keep', onFailure: 'keep' });
  const done = join(rig.folder, 'done');
  const wanted: AfterActions = { onSuccess: { moveTo: done }, onFailure: 'keep', sidecar: true };
  rig.write('d/a.txt');
  const receipt = receiptFor(rig.root, { path: 'd/a.txt' });
  rig.record([receipt], wanted);
  rig.ledger.intents.markActing(rig.ledger.intents.take(0, 1));
  mkdirSync(join(done, 'd'), { recursive: true });
  writeFileSync(join(done, `d/.slipway-${receipt.id}-0`), 'half');
  writeFileSync(join(rig.root, `d/.slipway-${receipt.id}-0.tmp`), 'half');
  await rig.finish({ onSuccess: 'keep', onFailure: 'keep', sidecar: false });
  expect(rig.files('done')).toEqual([]);
  expect(rig.files()).toEqual(['d/a.txt']);
});
