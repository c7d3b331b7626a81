import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { appendFile, mkdir, open, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { pathOnDisk } from '../../../src/domain/path-bytes.ts';
import { startIntakeRig } from '../../support/intake-rig.ts';
import { receiptOf } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

/** Waits on state, never on time alone: a busy machine only makes it slower. */
const soon = { timeout: 15_000, interval: 20 };
const slow = { timeout: 15_000, interval: 200 };

/** As if written long ago: such a file is settled when first seen, but for its ctime. */
async function writeAll(root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) await writeFile(join(root, path), path);
}

test('what lies in the folder at the start is admitted, whatever its name and depth', async () => {
  const names = [
    'a.txt',
    'with space.pdf',
    '"q" %41 $x.txt',
    '文件.png',
    'line\nbreak.txt',
    'report~',
    'x'.repeat(255),
    'empty',
  ];
  await using rig = await startIntakeRig({
    async prepare(root) {
      await mkdir(join(root, 'deep/er'), { recursive: true });
      await writeAll(root, [...names, 'deep/b.txt', 'deep/er/c.txt']);
    },
  });
  await rig.intake.caughtUp();
  expect(rig.paths()).toEqual([...names, 'deep/b.txt', 'deep/er/c.txt'].sort());
  expect(rig.jobs[0]).toMatchObject({ v: 1, source: 'inbox', gen: 0, batch: null, attemptLog: [] });
});

test('a file dropped into a running folder is admitted without any scan', async () => {
  await using rig = await startIntakeRig();
  await rig.intake.caughtUp();
  const { reconciles } = rig.intake.counts();
  await writeAll(rig.root, ['live.txt']);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['live.txt']), soon);
  expect(rig.intake.counts().reconciles - reconciles).toBeLessThanOrEqual(rig.suspicions());
});

test('a slow writer whose pauses are shorter than settle arrives once and whole, live and in the backlog', async () => {
  await using rig = await startIntakeRig({
    settle: 1_500,
    prepare: (root) => writeFile(join(root, 'backlog.txt'), 'x'),
  });
  const [live, backlog] = await Promise.all([
    open(join(rig.root, 'live.txt'), 'a'),
    open(join(rig.root, 'backlog.txt'), 'a'),
  ]);
  // The writer itself needs pauses; nothing is concluded from how long they are.
  for (let part = 0; part < 16; part += 1) {
    await Promise.all([live.write('0123456789'), backlog.write('0123456789')]);
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  await Promise.all([live.close(), backlog.close()]);
  await rig.intake.caughtUp();
  expect(rig.jobs.map(({ path, size }) => [path, size]).sort()).toEqual([
    ['backlog.txt', 161],
    ['live.txt', 160],
  ]);
});

test('a folder that takes the place of a file that is waited for is looked through without any scan', async () => {
  await using rig = await startIntakeRig({ settle: 1_000 });
  await rig.intake.caughtUp();
  const { reconciles } = rig.intake.counts();
  const path = join(rig.root, 'changing');
  await writeFile(path, 'a file');
  await vi.waitFor(() => expect(rig.intake.unsettled()).toBe(1), soon);
  await rm(path);
  await mkdir(path);
  await writeAll(rig.root, ['changing/inside.txt']);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['changing/inside.txt']), soon);
  expect(rig.intake.counts().reconciles - reconciles).toBeLessThanOrEqual(rig.suspicions());
});

test('an edit, a rename over it, and a re-created file are new versions; the old ones are not sent again', async () => {
  await using rig = await startIntakeRig({
    prepare: (root) => writeAll(root, ['edited', 'replaced', 'recreated']),
    autoRecord: true,
  });
  await rig.intake.caughtUp();
  expect(rig.jobs).toHaveLength(3);
  await appendFile(join(rig.root, 'edited'), '+');
  await writeFile(join(rig.beside, 'new'), 'replacement');
  await rename(join(rig.beside, 'new'), join(rig.root, 'replaced'));
  await rm(join(rig.root, 'recreated'));
  await writeFile(join(rig.root, 'recreated'), 'again');
  await vi.waitFor(() => expect(rig.jobs).toHaveLength(6), soon);
  await rig.intake.caughtUp();
  expect(
    rig.jobs
      .slice(3)
      .map(({ path, gen }) => `${path} ${gen}`)
      .sort(),
  ).toEqual(['edited 0', 'recreated 0', 'replaced 0']);
});

test('2,000 files in 50 new folders, filled the moment they are made, all arrive once', async () => {
  await using rig = await startIntakeRig();
  await rig.intake.caughtUp();
  for (let folder = 0; folder < 50; folder += 1) {
    mkdirSync(join(rig.root, `new${folder}/sub`), { recursive: true });
    for (let file = 0; file < 40; file += 1)
      writeFileSync(join(rig.root, `new${folder}/sub/${file}.txt`), 'x');
  }
  await vi.waitFor(() => expect(rig.jobs).toHaveLength(2_000), soon);
  await rig.intake.caughtUp();
  expect(new Set(rig.paths()).size).toBe(2_000);
  expect(rig.jobs).toHaveLength(2_000);
});

test('a folder that is moved in arrives with all it holds', async () => {
  await using rig = await startIntakeRig();
  await rig.intake.caughtUp();
  await mkdir(join(rig.beside, 'tree/deep'), { recursive: true });
  await writeAll(join(rig.beside, 'tree'), ['a', 'deep/b']);
  await rename(join(rig.beside, 'tree'), join(rig.root, 'tree'));
  await vi.waitFor(() => expect(rig.paths()).toEqual(['tree/a', 'tree/deep/b']), soon);
});

test('hidden files, junk, our own files, symlinks and FIFOs are left alone, at the start and live', async () => {
  const fill = async (root: string, prefix: string): Promise<void> => {
    await mkdir(join(root, `.hidden${prefix}`));
    await mkdir(join(root, '@eaDir'), { recursive: true });
    await writeAll(root, [
      `.env${prefix}`,
      `.hidden${prefix}/a`,
      `@eaDir/${prefix}`,
      `${prefix}film.part`,
      `.slipway-${prefix}`,
      `${prefix}.manifest.json`,
    ]);
    await symlink('/etc/hostname', join(root, `${prefix}link`));
    await symlink('/etc', join(root, `${prefix}folderlink`));
    execFileSync('mkfifo', [join(root, `${prefix}pipe`)]);
    await writeAll(root, [`${prefix}good`]);
  };
  await using rig = await startIntakeRig({
    own: ['old.manifest.json', 'live.manifest.json'],
    prepare: (root) => fill(root, 'old'),
  });
  await rig.intake.caughtUp();
  await fill(rig.root, 'live');
  await vi.waitFor(() => expect(rig.paths()).toContain('livegood'), soon);
  await rig.intake.caughtUp();
  expect(rig.paths()).toEqual(['livegood', 'oldgood']);
  expect(rig.intake.counts().scan.ignored).toMatchObject({
    symlink: 4,
    special: 2,
    hidden: 4,
    own: 4,
    junk: 3,
  });
});

test.runIf(process.platform === 'linux')(
  'names that are not UTF-8 arrive with their exact bytes, at the start, live and in folders',
  async () => {
    const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
    const write = (root: string, name: string): void =>
      writeFileSync(Buffer.concat([Buffer.from(`${root}/`), bytes(name)]), 'x');
    await using rig = await startIntakeRig({
      prepare(root) {
        mkdirSync(Buffer.concat([Buffer.from(`${root}/`), bytes('dir\xff')]));
        for (const name of ['old\xff', 'old\xfe', 'dir\xff/in.txt', 'right \xef\xbf\xbd.txt'])
          write(root, name);
      },
    });
    await rig.intake.caughtUp();
    for (const name of ['live\xfc', 'dir\xff/too\xfd']) write(rig.root, name);
    await vi.waitFor(() => expect(rig.jobs).toHaveLength(6), soon);
    rig.intake.rescan();
    await rig.intake.caughtUp();
    const seen = rig.jobs.map((job) => Buffer.from(pathOnDisk('', job)).toString('latin1').slice(1)).sort();
    expect(seen).toEqual([
      'dir\xff/in.txt',
      'dir\xff/too\xfd',
      'live\xfc',
      'old\xfe',
      'old\xff',
      'right \xef\xbf\xbd.txt',
    ]);
    expect(rig.jobs.find(({ path }) => path.startsWith('right'))).not.toHaveProperty('pathBytes');
  },
);

test('a folder that does not exist yet is waited for; asking to be caught up says so', async () => {
  await using rig = await startIntakeRig({ createRoot: false });
  await expect(rig.intake.caughtUp()).rejects.toMatchObject({ code: 'source_missing' });
  expect(rig.intake.counts().root).toBe('missing');
  await mkdir(rig.root);
  await writeAll(rig.root, ['first']);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['first']), soon);
  await writeAll(rig.root, ['second']);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['first', 'second']), soon);
  expect(rig.warnings).toEqual(['there is no such folder yet: waiting for it']);
});

test('a folder that goes away and returns is one warning, and nothing in it is sent twice', async () => {
  await using rig = await startIntakeRig({ prepare: (root) => writeAll(root, ['a', 'b']), autoRecord: true });
  await rig.intake.caughtUp();
  await rename(rig.root, join(rig.beside, 'away'));
  await vi.waitFor(() => expect(rig.intake.counts().root).toBe('missing'), soon);
  await writeAll(join(rig.beside, 'away'), ['meanwhile']);
  await rename(join(rig.beside, 'away'), rig.root);
  await vi.waitFor(() => expect(rig.paths()).toContain('meanwhile'), soon);
  await writeAll(rig.root, ['after']);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['a', 'after', 'b', 'meanwhile']), soon);
  expect(rig.warnings).toHaveLength(1);
});

test('a rescan of recorded and pending files makes no call to the queue', async () => {
  await using rig = await startIntakeRig({
    prepare: (root) =>
      writeAll(
        root,
        Array.from({ length: 300 }, (_, i) => `f${i}`),
      ),
  });
  await rig.intake.caughtUp();
  const calls = rig.enqueueCalls();
  await rig.intake.caughtUp();
  rig.record();
  await rig.intake.caughtUp();
  expect(rig.enqueueCalls()).toBe(calls);
  expect(rig.jobs).toHaveLength(300);
});

test('a version recorded as changed, yet here as it was, gets a new generation', async () => {
  await using rig = await startIntakeRig({ prepare: (root) => writeAll(root, ['a']) });
  await rig.intake.caughtUp();
  rig.record({ status: 'skipped', code: 'changed', again: false });
  await rig.intake.caughtUp();
  expect(rig.jobs.map(({ path, gen }) => `${path} ${gen}`)).toEqual(['a 0', 'a 1']);
});

test('no more than maxPending are ever pending, and all arrive in the end', async () => {
  await using rig = await startIntakeRig({
    maxPending: 50,
    prepare: (root) =>
      writeAll(
        root,
        Array.from({ length: 500 }, (_, i) => `f${i}`),
      ),
  });
  await vi.waitFor(() => expect(rig.enqueueCalls()).toBeGreaterThan(0), soon);
  const caughtUp = rig.intake.caughtUp();
  await vi.waitFor(() => {
    rig.record();
    expect(rig.jobs).toHaveLength(500);
  }, soon);
  await caughtUp;
  expect(rig.mostPending()).toBeGreaterThan(25);
  expect(rig.mostPending()).toBeLessThanOrEqual(50);
  expect(new Set(rig.paths()).size).toBe(500);
});

test('a file dropped while the backlog waits for room goes before the rest of the backlog', async () => {
  await using rig = await startIntakeRig({
    maxPending: 20,
    prepare: (root) =>
      writeAll(
        root,
        Array.from({ length: 1_000 }, (_, i) => `f${i}`),
      ),
  });
  await vi.waitFor(() => expect(rig.enqueueCalls()).toBeGreaterThan(0), soon);
  await writeAll(rig.root, ['live']);
  const past = new Date(Date.now() - 60_000);
  await utimes(join(rig.root, 'live'), past, past);
  await vi.waitFor(() => {
    rig.record();
    expect(rig.paths()).toContain('live');
    // Slow turns: a busy machine hears of the file a few of them later.
  }, slow);
  expect(rig.jobs.length).toBeLessThan(900);
});

test('a file dropped while the backlog waits for room gets into the queue before any place comes free', async () => {
  for (const dedupe of ['version', 'content'] as const) {
    await using rig = await startIntakeRig({
      ...{ maxPending: 40, dedupe },
      prepare: (root) =>
        writeAll(
          root,
          Array.from({ length: 1_000 }, (_, i) => `f${i}`),
        ),
    });
    await vi.waitFor(() => expect(rig.jobs.length).toBeGreaterThanOrEqual(30), soon);
    await writeAll(rig.root, ['live']);
    await vi.waitFor(() => expect(rig.ahead).toEqual(['live']), soon);
    expect(rig.mostPending()).toBeLessThanOrEqual(40);
    await vi.waitFor(() => {
      rig.record();
      expect(rig.jobs).toHaveLength(1_001);
    }, soon);
    expect(new Set(rig.paths()).size).toBe(1_001);
  }
});

test('files that are written for long enough to be scanned first are a backlog, unless an event names them', async () => {
  await using rig = await startIntakeRig({
    ...{ maxPending: 40, settle: 400 },
    prepare: (root) =>
      writeAll(
        root,
        Array.from({ length: 100 }, (_, i) => `f${i}`),
      ),
  });
  await vi.waitFor(() => expect(rig.jobs.length).toBeGreaterThanOrEqual(20), soon);
  expect(rig.jobs.filter(({ live }) => live === true)).toEqual([]);
  await writeAll(rig.root, ['live']);
  await vi.waitFor(() => expect(rig.ahead).toEqual(['live']), soon);
  expect(rig.jobs.find(({ path }) => path === 'live')?.live).toBe(true);
});

test('a queue that fails for a while loses nothing', async () => {
  await using rig = await startIntakeRig();
  rig.failEnqueue(new Error('connection lost'));
  await writeAll(rig.root, ['a', 'b']);
  await vi.waitFor(() => expect(rig.enqueueCalls()).toBeGreaterThan(1), soon);
  rig.failEnqueue(null);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['a', 'b']), soon);
});

test('a file that vanishes before it has settled is dropped silently', async () => {
  await using rig = await startIntakeRig({ settle: 1_500 });
  await rig.intake.caughtUp();
  await writeAll(rig.root, ['short', 'stays']);
  await vi.waitFor(() => expect(rig.intake.unsettled()).toBe(2), soon);
  await rm(join(rig.root, 'short'));
  await vi.waitFor(() => expect(rig.paths()).toEqual(['stays']), soon);
  expect([rig.intake.unsettled(), rig.warnings]).toEqual([0, []]);
});

test('12,000 files that arrive while the event loop stands still are all admitted', async () => {
  await using rig = await startIntakeRig();
  await rig.intake.caughtUp();
  // More than the kernel queues, written by somebody else while nobody reads the queue.
  const script = `for (let i = 0; i < 12000; i++) require('node:fs').writeFileSync(process.argv[1] + '/f' + i, 'x')`;
  execFileSync(process.execPath, ['-e', script, rig.root]);
  await vi.waitFor(() => expect(rig.jobs).toHaveLength(12_000), { timeout: 40_000, interval: 50 });
  await rig.intake.caughtUp();
  expect(new Set(rig.paths()).size).toBe(12_000);
});

test('polling finds new files and edits without any event', async () => {
  await using rig = await startIntakeRig({ polling: true, autoRecord: true });
  await writeAll(rig.root, ['a']);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['a']), soon);
  await appendFile(join(rig.root, 'a'), '+');
  await vi.waitFor(() => expect(rig.paths()).toEqual(['a', 'a']), soon);
});

test('when the system has no watches left, scans carry on and the warning names the sysctl once', async () => {
  await using rig = await startIntakeRig({
    polling: false,
    createSource: () => ({
      start(listener) {
        for (let folder = 0; folder < 3; folder += 1)
          listener.failed(Object.assign(new Error('no'), { code: 'ENOSPC' }));
      },
      async close() {},
    }),
  });
  await writeAll(rig.root, ['a']);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['a']), soon);
  await writeAll(rig.root, ['b']);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['a', 'b']), soon);
  expect(rig.warnings).toEqual(['the system has no watches left; scanning the folder instead']);
});

test('stop ends at once while admission waits for room, and again is harmless', async () => {
  await using rig = await startIntakeRig({
    maxPending: 1,
    prepare: (root) => writeAll(root, ['a', 'b', 'c']),
  });
  await vi.waitFor(() => expect(rig.jobs).toHaveLength(1), soon);
  const caughtUp = rig.intake.caughtUp().then(
    () => 'resolved',
    (error) => error.name,
  );
  await Promise.all([rig.intake.stop(), rig.intake.stop()]);
  expect(await caughtUp).toBe('AbortError');
  expect(rig.jobs).toHaveLength(1);
});

test('a folder that cannot be listed is reported once and stops nothing else', async () => {
  // Deeper than a path may be long: the system refuses it to everybody, the super-user included.
  const deep = 'for i in $(seq 20); do mkdir "$1" && cd "$1" || exit 1; done';
  await using rig = await startIntakeRig({
    polling: true,
    async prepare(root) {
      await writeAll(root, ['a']);
      execFileSync('bash', ['-c', deep, 'bash', 'd'.repeat(250)], { cwd: root });
    },
  });
  try {
    await rig.intake.caughtUp();
    await rig.intake.caughtUp();
    expect(rig.paths()).toEqual(['a']);
    expect(rig.intake.counts().scan.unobservable).toBe(1);
    expect(rig.warnings).toEqual([
      'some of the folder cannot be read; nothing is concluded about it',
      expect.stringContaining('its path has more than 4,096 bytes'),
    ]);
  } finally {
    execFileSync('rm', ['-rf', join(rig.root, 'd'.repeat(250))]);
  }
});

test('a file that is written to between its comparison and its receipt settles anew, and is compared anew', async () => {
  const asked: string[] = [];
  await using rig = await startIntakeRig({
    dedupe: 'content',
    prepare: (root) => writeFile(join(root, 'a'), 'known'),
    uploads: {
      ofContent(sha256) {
        asked.push(sha256);
        if (asked.length > 1) return null;
        writeFileSync(join(rig.root, 'a'), 'another content');
        return 'f1';
      },
      standIn: async () => ({ ...receiptOf(uploadedOutcome('old')), sha256: asked[0] ?? '' }),
    },
  });
  await vi.waitFor(() => expect(rig.jobs).toHaveLength(1), soon);
  expect([rig.jobs[0]?.size, asked.length, rig.outcomes]).toEqual([15, 2, []]);
  await rig.intake.caughtUp();
  expect([[...rig.intake.inHand()], rig.intake.unsettled()]).toEqual([[], 0]);
});

test('minAge holds a file back that has settled, and no longer than that', async () => {
  await using rig = await startIntakeRig({ settle: 50, minAge: 2_000 });
  await rig.intake.caughtUp();
  await writeAll(rig.root, ['young']);
  const { ctimeMs } = statSync(join(rig.root, 'young'));
  await vi.waitFor(() => expect(rig.intake.unsettled()).toBe(1), soon);
  await vi.waitFor(() => expect(rig.paths()).toEqual(['young']), soon);
  expect(Date.now() - ctimeMs).toBeGreaterThanOrEqual(1_999);
});

test('with dedupe: content and little room in the queue all files arrive, however often the queue is full', async () => {
  await using rig = await startIntakeRig({
    dedupe: 'content',
    maxPending: 20,
    autoRecord: true,
    uploads: { untilRecorded: async () => {} },
    prepare(root) {
      for (let index = 0; index < 1_500; index += 1) writeFileSync(join(root, `${index}`), `${index}`);
    },
  });
  await vi.waitFor(() => expect(rig.jobs.length).toBeGreaterThan(100), soon);
  // Changed while they wait to be read: they settle anew.
  for (let index = 1_300; index < 1_500; index += 1) writeFileSync(join(rig.root, `${index}`), 'changed');
  await vi.waitFor(() => expect(new Set(rig.paths()).size).toBe(1_500), soon);
  await rig.intake.caughtUp();
  expect(rig.mostPending()).toBeLessThanOrEqual(20);
  expect([[...rig.intake.inHand()], rig.intake.unsettled()]).toEqual([[], 0]);
});
