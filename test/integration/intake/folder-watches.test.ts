import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { pathOnDisk } from '../../../src/domain/path-bytes.ts';
import { createChokidarSource } from '../../../src/intake/watch/chokidar-source.ts';
import { type IntakeRigOptions, startIntakeRig } from '../../support/intake-rig.ts';
import { makeLoopDisk } from '../../support/loop-disk.ts';
import { mayLimitWatches, withFewWatches } from '../../support/low-inotify.ts';

const soon = { timeout: 15_000, interval: 20 };
const WATCHED: IntakeRigOptions = { polling: 'auto' };

/** Watches that this process holds, as the kernel counts them. */
function watchesHeld(): number {
  let watches = 0;
  for (const fd of readdirSync('/proc/self/fdinfo')) {
    try {
      watches += readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1').split('inotify wd:').length - 1;
    } catch {
      // The folder that was just listed.
    }
  }
  return watches;
}

let rigRoot = '';

function fill(folder: string, names: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  for (const name of names) writeFileSync(join(folder, name), name);
}

describe.runIf(process.platform === 'linux')('a watch per folder', () => {
  test('brings live files of every folder that was there, without a second scan', async () => {
    await using rig = await startIntakeRig({
      ...WATCHED,
      prepare: (root) => fill(join(root, 'a/b'), ['old']),
    });
    await rig.intake.caughtUp();
    const { reconciles } = rig.intake.counts();
    for (const path of ['top', 'a/mid', 'a/b/deep']) await writeFile(join(rig.root, path), path);
    await vi.waitFor(() => expect(rig.paths()).toEqual(['a/b/deep', 'a/b/old', 'a/mid', 'top']), soon);
    expect(rig.intake.counts().reconciles - reconciles).toBeLessThanOrEqual(rig.suspicions());
  });

  test('a live file arrives from a folder that the first scan has not come to, for want of room', async () => {
    const names = Array.from({ length: 200 }, (_, file) => `${file}`);
    const folders = ['a', 'b', 'c/d', 'c/d/e'];
    const before = watchesHeld();
    await using rig = await startIntakeRig({
      ...{ ...WATCHED, maxPending: 40 },
      prepare: (root) => folders.forEach((folder) => void fill(join(root, folder), names)),
    });
    // The root and `c` besides.
    await vi.waitFor(() => expect(watchesHeld() - before).toBeGreaterThanOrEqual(folders.length + 2), soon);
    expect(rig.jobs.length).toBeLessThanOrEqual(40);
    for (const folder of folders) await writeFile(join(rig.root, folder, 'live'), folder);
    await vi.waitFor(
      () => expect([...rig.ahead].sort()).toEqual(folders.map((folder) => `${folder}/live`).sort()),
      soon,
    );
    await vi.waitFor(() => {
      rig.record();
      expect(rig.jobs).toHaveLength(804);
    }, soon);
    expect(new Set(rig.paths()).size).toBe(804);
    expect(rig.mostPending()).toBeLessThanOrEqual(40);
  });

  test('2,000 files in 50 new folders, filled the moment they are made, all arrive once', async () => {
    await using rig = await startIntakeRig(WATCHED);
    await rig.intake.caughtUp();
    const names = Array.from({ length: 40 }, (_, file) => `${file}.txt`);
    for (let folder = 0; folder < 50; folder += 1) fill(join(rig.root, `new${folder}/sub`), names);
    await vi.waitFor(() => expect(rig.jobs).toHaveLength(2_000), soon);
    await rig.intake.caughtUp();
    expect(rig.jobs).toHaveLength(2_000);
  });

  test('a folder that is moved, replaced or made anew under the same name is watched where it is', async () => {
    await using rig = await startIntakeRig({
      ...WATCHED,
      prepare(root) {
        fill(join(root, 'moved/in'), ['1']);
        fill(join(root, 'replaced/in'), ['2']);
        fill(join(root, 'again/in'), ['3']);
      },
    });
    await rig.intake.caughtUp();
    const watches = watchesHeld();
    renameSync(join(rig.root, 'moved'), join(rig.root, 'elsewhere'));
    fill(join(rig.beside, 'other/in'), ['4']);
    renameSync(join(rig.root, 'replaced'), join(rig.beside, 'old'));
    renameSync(join(rig.beside, 'other'), join(rig.root, 'replaced'));
    rmSync(join(rig.root, 'again'), { recursive: true });
    fill(join(rig.root, 'again/in'), ['5']);
    await vi.waitFor(() => expect(rig.paths()).toContain('again/in/5'), soon);
    await vi.waitFor(() => expect(rig.paths()).toContain('elsewhere/in/1'), soon);
    await vi.waitFor(() => expect(rig.paths()).toContain('replaced/in/4'), soon);
    const { reconciles } = rig.intake.counts();
    for (const folder of ['elsewhere', 'replaced', 'again'])
      await writeFile(join(rig.root, folder, 'in/late'), 'x');
    await vi.waitFor(
      () =>
        expect(rig.paths().filter((path) => path.endsWith('/late'))).toEqual([
          'again/in/late',
          'elsewhere/in/late',
          'replaced/in/late',
        ]),
      soon,
    );
    expect(rig.intake.counts().reconciles - reconciles).toBeLessThanOrEqual(rig.suspicions());
    // What has left the folder is nobody's business any more.
    expect(watchesHeld()).toBe(watches);
  });

  test('a disk below the folder that goes and comes back between two scans is watched again', async (context) => {
    const disk = makeLoopDisk();
    if (disk === null) return context.skip('needs root and a loop device');
    const place = (root: string): string => join(root, 'disk');
    // In this order: what is below the rig's folder goes before the rig.
    using _disk = { [Symbol.dispose]: disk.remove };
    await using rig = await startIntakeRig({
      ...WATCHED,
      prepare(root) {
        disk.mount(place(root));
        fill(join(place(root), 'in'), ['old']);
      },
    });
    using _mounted = { [Symbol.dispose]: disk.unmount };
    await rig.intake.caughtUp();
    const watches = watchesHeld();
    const { reconciles } = rig.intake.counts();
    disk.unmount();
    disk.mount(place(rig.root));
    // The kernel ended the watches without a word that Node would pass on; the looks that follow bring them back.
    await vi.waitFor(() => expect(watchesHeld()).toBe(watches), soon);
    await writeFile(join(place(rig.root), 'top'), 'x');
    await writeFile(join(place(rig.root), 'in/late'), 'x');
    await vi.waitFor(() => expect(rig.paths()).toEqual(['disk/in/late', 'disk/in/old', 'disk/top']), soon);
    expect(rig.intake.counts().reconciles - reconciles).toBeLessThanOrEqual(rig.suspicions());
  });

  test('folders that go give their watches back, and ignored folders and links never get any', async () => {
    await using rig = await startIntakeRig({
      ...WATCHED,
      ignore: ['skip'],
      async prepare(root) {
        fill(join(root, 'skip/deep'), ['x']);
        fill(join(root, '.git/objects'), ['x']);
        fill(join(root, 'kept'), ['a']);
        await symlink('/etc', join(root, 'link'));
      },
    });
    await rig.intake.caughtUp();
    const before = watchesHeld();
    fill(join(rig.root, 'b/c/d'), ['e']);
    await vi.waitFor(() => expect(rig.paths()).toContain('b/c/d/e'), soon);
    expect(watchesHeld()).toBe(before + 3);
    await rm(join(rig.root, 'b'), { recursive: true });
    await vi.waitFor(() => expect(watchesHeld()).toBe(before), soon);
    await rm(join(rig.root, 'kept'), { recursive: true });
    await vi.waitFor(() => expect(watchesHeld()).toBe(before - 1), soon);
  });

  test('names and folders that are not UTF-8 arrive with their exact bytes', async () => {
    const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
    const at = (root: string, name: string): Buffer => Buffer.concat([Buffer.from(`${root}/`), bytes(name)]);
    await using rig = await startIntakeRig({
      ...WATCHED,
      prepare: (root) => mkdirSync(at(root, 'dir\xff')),
    });
    await rig.intake.caughtUp();
    mkdirSync(at(rig.root, 'new\xfe/deep'), { recursive: true });
    for (const name of ['live\xfc', 'dir\xff/in.txt', 'new\xfe/deep/too\xfd'])
      writeFileSync(at(rig.root, name), 'x');
    await vi.waitFor(() => expect(rig.jobs).toHaveLength(3), soon);
    writeFileSync(at(rig.root, 'new\xfe/deep/later'), 'x');
    await vi.waitFor(() => expect(rig.jobs).toHaveLength(4), soon);
    const seen = rig.jobs.map((job) => Buffer.from(pathOnDisk('', job)).toString('latin1').slice(1)).sort();
    expect(seen).toEqual(['dir\xff/in.txt', 'live\xfc', 'new\xfe/deep/later', 'new\xfe/deep/too\xfd']);
  });

  test('10,000 files that arrive while the event loop stands still are all admitted, flat and in new folders', async () => {
    await using rig = await startIntakeRig(WATCHED);
    await rig.intake.caughtUp();
    // More than the kernel queues, written by somebody else while nobody reads the queue.
    const script = `const fs = require('node:fs');
      for (let i = 0; i < 9000; i++) fs.writeFileSync(process.argv[1] + '/f' + i, 'x');
      for (let i = 0; i < 1000; i++) {
        if (i % 20 === 0) fs.mkdirSync(process.argv[1] + '/d' + i / 20);
        fs.writeFileSync(process.argv[1] + '/d' + Math.floor(i / 20) + '/f' + i, 'x');
      }`;
    execFileSync(process.execPath, ['-e', script, rig.root]);
    await vi.waitFor(() => expect(rig.jobs).toHaveLength(10_000), { timeout: 40_000, interval: 50 });
    await rig.intake.caughtUp();
    expect(new Set(rig.paths()).size).toBe(10_000);
    expect(rig.jobs).toHaveLength(10_000);
  }, 60_000);

  test('a folder lost and made anew while events were lost is watched after the scan that follows', async () => {
    await using rig = await startIntakeRig({ ...WATCHED, prepare: (root) => fill(join(root, 'a/b'), ['1']) });
    await rig.intake.caughtUp();
    // Nobody reads events in between, so that they come all at once and tell of the last state alone.
    execFileSync('sh', ['-c', 'rm -r a && mkdir -p a/b && echo 2 > a/b/2'], { cwd: rig.root });
    await vi.waitFor(() => expect(rig.paths()).toContain('a/b/2'), soon);
    await rig.intake.caughtUp();
    const { reconciles } = rig.intake.counts();
    await writeFile(join(rig.root, 'a/b/3'), '3');
    await vi.waitFor(() => expect(rig.paths()).toContain('a/b/3'), soon);
    expect(rig.intake.counts().reconciles - reconciles).toBeLessThanOrEqual(rig.suspicions());
  });
});

test('hints that an overflowing queue drops are made good by a scan, and nothing is queued twice', async () => {
  const QUEUE = 50;
  let dropped = 0;
  await using rig = await startIntakeRig({
    polling: false,
    createSource(filter) {
      const source = createChokidarSource(rigRoot, filter);
      let queued = 0;
      return {
        close: () => source.close(),
        start: (listener) =>
          source.start({
            ...listener,
            hint(path) {
              if (queued === 0) setImmediate(() => (queued = 0));
              queued += 1;
              if (queued > QUEUE) dropped += 1;
              else listener.hint(path);
            },
          }),
      };
    },
    prepare(root) {
      rigRoot = root;
    },
  });
  await rig.intake.caughtUp();
  const script = `for (let i = 0; i < 2000; i++) require('node:fs').writeFileSync(process.argv[1] + '/f' + i, 'x');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)`;
  execFileSync(process.execPath, ['-e', script, rig.root]);
  await vi.waitFor(() => expect(rig.jobs).toHaveLength(2_000), soon);
  await rig.intake.caughtUp();
  expect(rig.jobs).toHaveLength(2_000);
  expect(dropped).toBeGreaterThan(1_000);
});

test.skipIf(!mayLimitWatches())(
  'folders beyond the last watch are told of, and once there are watches again events are waited for again',
  () => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-few-'));
    try {
      const script = fileURLToPath(new URL('../../support/few-watches-process.ts', import.meta.url));
      const [program = '', ...args] = withFewWatches(6, [process.execPath, script, root, '8', '3']);
      const told = JSON.parse(execFileSync(program, args, { encoding: 'utf8', timeout: 120_000 })) as unknown;
      // The root and five folders are watched, three are not.
      expect(told).toEqual({ first: ['ready', 'ENOSPC', 'ENOSPC', 'ENOSPC'], afterwards: ['ready'] });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
);
