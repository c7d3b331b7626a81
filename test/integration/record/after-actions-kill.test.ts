import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AfterAction } from '../../../src/domain/after-action.ts';
import { openLedger } from '../../../src/ledger/ledger.ts';
import { TEMPORARY_PREFIX } from '../../../src/platform/files/atomic-file.ts';
import { type AfterActionRig, afterActionRig, receiptFor } from '../../support/after-action-rig.ts';
import { nextGeneration } from '../../support/next-generation.ts';

const PROCESS = join(import.meta.dirname, '../../support/after-action-process.ts');
const FILES = 90;

/** A folder on another file system than temp folders, or null. */
function elsewhere(): string | null {
  const shm = '/dev/shm';
  return existsSync(shm) && statSync(shm).dev !== statSync('/tmp').dev ? shm : null;
}

async function filledRig(
  onSuccess: AfterAction,
  sidecar = false,
): Promise<{ rig: AfterActionRig; ids: string[] }> {
  const rig = afterActionRig({ onSuccess, onFailure: 'keep', sidecar });
  const paths = Array.from({ length: FILES }, (_, index) => `d${index % 3}/${index}.txt`);
  for (const path of paths) rig.write(path);
  const receipts = paths.map((path) => receiptFor(rig.root, { path }));
  rig.record(receipts);
  await rig.ledger.close();
  return { rig, ids: receipts.map(({ id }) => id) };
}

/** @returns how the process ended */
function act(folder: string, action: AfterAction, step = 'none', passes = 0, sidecar = false): string {
  const beside = sidecar ? ['sidecar'] : [];
  const args = [PROCESS, folder, JSON.stringify(action), step, String(passes), ...beside];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  return run.signal ?? `${run.status}${run.stderr}`;
}

async function expectAllActed(rig: AfterActionRig, ids: readonly string[]): Promise<void> {
  // Names of ours included: nothing is left under an aside name.
  expect(rig.files()).toEqual([]);
  const ledger = openLedger(join(rig.folder, 'ledger'));
  expect(ledger.intents.count()).toBe(0);
  // Every one of them would go again if it were put back: the ledger knows that it was taken away.
  expect(ids.map((id) => nextGeneration(ledger.find(id)))).toEqual(ids.map(() => 1));
  await ledger.close();
}

const KILLS = [0, 40, 0];

test.each(['aside', 'acting', 'acted', 'ended'])(
  'files to be deleted are deleted, and known to be, however often it is killed after %s',
  async (step) => {
    const { rig, ids } = await filledRig('delete');
    for (const passes of KILLS) expect(['SIGKILL', '0']).toContain(act(rig.folder, 'delete', step, passes));
    expect(act(rig.folder, 'delete')).toBe('0');
    await expectAllActed(rig, ids);
  },
);

function expectMoved(done: string): void {
  const moved = readdirSync(done, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(moved.map(({ name }) => name).sort()).toEqual(
    Array.from({ length: FILES }, (_, index) => `${index}.txt`).sort(),
  );
  for (const { parentPath, name } of moved) {
    const folder = `d${Number.parseInt(name, 10) % 3}`;
    expect(readFileSync(join(parentPath, name), 'utf8')).toBe(`${folder}/${name}`);
  }
}

test.each(['aside', 'acting', 'acted', 'ended'])(
  'files to be moved are moved once each, however often it is killed after %s',
  async (step) => {
    const base = mkdtempSync('/tmp/slipway-moved-');
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    const action = { moveTo: join(base, 'done') };
    const { rig, ids } = await filledRig(action);
    for (const passes of KILLS) expect(['SIGKILL', '0']).toContain(act(rig.folder, action, step, passes));
    expect(act(rig.folder, action)).toBe('0');
    await expectAllActed(rig, ids);
    expectMoved(action.moveTo);
  },
);

test.skipIf(elsewhere() === null).each(['aside', 'acting', 'copied', 'published', 'acted', 'ended'])(
  'files to be moved to another file system are moved once each, however often it is killed after %s',
  async (step) => {
    const base = mkdtempSync(join(elsewhere() ?? '', 'slipway-moved-'));
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    const action = { moveTo: join(base, 'done') };
    const { rig, ids } = await filledRig(action);
    for (const passes of KILLS) expect(['SIGKILL', '0']).toContain(act(rig.folder, action, step, passes));
    expect(act(rig.folder, action)).toBe('0');
    await expectAllActed(rig, ids);
    expectMoved(action.moveTo);
  },
);

test.skipIf(elsewhere() === null)(
  'a copy that a kill left under both of its names is one file in the end',
  async () => {
    const base = mkdtempSync(join(elsewhere() ?? '', 'slipway-moved-'));
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    const action = { moveTo: join(base, 'done') };
    const { rig, ids } = await filledRig(action);
    expect(act(rig.folder, action, 'acting')).toBe('SIGKILL');
    const name = `${TEMPORARY_PREFIX}${ids[0]}-0`;
    const [aside, temporary] = [join(rig.root, 'd0', name), join(action.moveTo, 'd0', name)];
    mkdirSync(join(action.moveTo, 'd0'), { recursive: true });
    cpSync(aside, temporary, { preserveTimestamps: true });
    linkSync(temporary, join(action.moveTo, 'd0/0.txt'));
    expect(act(rig.folder, action)).toBe('0');
    await expectAllActed(rig, ids);
    expectMoved(action.moveTo);
  },
);

test('a new file under the name of one that a crash left aside is kept', async () => {
  const { rig, ids } = await filledRig('delete');
  expect(act(rig.folder, 'delete', 'aside')).toBe('SIGKILL');
  expect(rig.files()).not.toContain('d0/0.txt');
  writeFileSync(join(rig.root, 'd0/0.txt'), 'the user was faster');
  expect(act(rig.folder, 'delete')).toBe('0');
  expect(rig.files()).toEqual(['d0/0.txt']);
  const ledger = openLedger(join(rig.folder, 'ledger'));
  expect(nextGeneration(ledger.find(ids[0] ?? ''))).toBe(1);
  await ledger.close();
});

/** The id in the receipt beside each file below a folder, by the file's path there. */
function idsBeside(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const ending = '.receipt.json';
  return new Map(
    entries
      .filter(({ name }) => name.endsWith(ending))
      .map(({ parentPath, name }) => {
        const path = join(parentPath, name);
        const { id } = JSON.parse(readFileSync(path, 'utf8')) as { id: string };
        return [path.slice(folder.length + 1, -ending.length), id];
      }),
  );
}

test.each(['acting', 'acted', 'ended'])(
  'the receipts of moved files lie beside them, under the names they got, however often it is killed after %s',
  async (step) => {
    const base = mkdtempSync('/tmp/slipway-moved-');
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    const action = { moveTo: join(base, 'done') };
    const { rig, ids } = await filledRig(action, true);
    // Every third name is taken by another file.
    mkdirSync(join(action.moveTo, 'd0'), { recursive: true });
    for (let index = 0; index < FILES; index += 3)
      writeFileSync(join(action.moveTo, `d0/${index}.txt`), 'taken');
    for (const passes of KILLS)
      expect(['SIGKILL', '0']).toContain(act(rig.folder, action, step, passes, true));
    expect(act(rig.folder, action, 'none', 0, true)).toBe('0');
    await expectAllActed(rig, ids);
    const wanted = ids.map((id, index) => {
      const suffix = index % 3 === 0 ? '-2' : '';
      return [`d${index % 3}/${index}${suffix}.txt`, id] as const;
    });
    expect(idsBeside(action.moveTo)).toEqual(new Map(wanted));
  },
);

test('receipts beside files that stay are all there, however often it is killed', async () => {
  const { rig, ids } = await filledRig('keep', true);
  for (const step of ['aside', 'ended', 'aside']) act(rig.folder, 'keep', step, 0, true);
  expect(act(rig.folder, 'keep', 'none', 0, true)).toBe('0');
  expect([...idsBeside(rig.root).values()].sort()).toEqual([...ids].sort());
  // Nothing half-written is left.
  expect(rig.files()).toHaveLength(2 * FILES);
});
