import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { AfterActions } from '../../../src/domain/after-action.ts';
import { pathNameOf, pathOnDisk } from '../../../src/domain/path-bytes.ts';
import { markOf } from '../../../src/ledger/tables/intent-table.ts';
import { suffixed } from '../../../src/platform/files/free-name.ts';
import type { ActionStep } from '../../../src/record/after/after-actions.ts';
import { pathsOf } from '../../../src/record/after/set-aside.ts';
import { afterActionRig, receiptFor } from '../../support/after-action-rig.ts';
import { nextGeneration } from '../../support/next-generation.ts';
import { testFolder } from '../../support/record-rig.ts';

const DELETE = { onSuccess: 'delete', onFailure: 'keep' } as const;

test('keep does nothing and stores nothing', async () => {
  const rig = afterActionRig({ onSuccess: 'keep', onFailure: 'keep' });
  rig.write('a.txt');
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  expect(rig.ledger.intents.count()).toBe(0);
  await rig.finish();
  expect(rig.files()).toEqual(['a.txt']);
});

test('delete removes what was uploaded, and nothing that failed or was skipped', async () => {
  const rig = afterActionRig(DELETE);
  for (const path of ['sub/up.txt', 'failed.txt', 'skipped.txt', 'other.txt']) rig.write(path);
  rig.record([
    receiptFor(rig.root, { path: 'sub/up.txt' }),
    receiptFor(rig.root, { path: 'failed.txt' }, { status: 'failed' }),
    receiptFor(rig.root, { path: 'skipped.txt' }, { status: 'skipped' }),
  ]);
  await rig.finish();
  expect(rig.files()).toEqual(['failed.txt', 'other.txt', 'skipped.txt']);
  expect(rig.ledger.intents.count()).toBe(0);
});

test('a receipt that is known already leads to nothing: only new ones do', async () => {
  const rig = afterActionRig(DELETE);
  rig.write('a.txt');
  const receipt = receiptFor(rig.root, { path: 'a.txt' });
  rig.record([receipt], { onSuccess: 'keep', onFailure: 'keep' });
  rig.record([receipt]);
  await rig.finish();
  expect(rig.files()).toEqual(['a.txt']);
});

test('moveTo mirrors the folders, for success and failure apart', async () => {
  const folder = testFolder();
  const actions = { onSuccess: { moveTo: join(folder, 'done') }, onFailure: { moveTo: join(folder, 'bad') } };
  const rig = afterActionRig(actions);
  rig.write('a/b/up.txt', 'up');
  rig.write('a/no.txt', 'no');
  rig.record([
    receiptFor(rig.root, { path: 'a/b/up.txt' }),
    receiptFor(rig.root, { path: 'a/no.txt' }, { status: 'failed' }),
  ]);
  await rig.finish();
  expect(rig.files()).toEqual([]);
  expect(readFileSync(join(folder, 'done/a/b/up.txt'), 'utf8')).toBe('up');
  expect(readFileSync(join(folder, 'bad/a/no.txt'), 'utf8')).toBe('no');
});

test('a taken name gets a suffix, again and again, and nothing is overwritten', async () => {
  const done = join(testFolder(), 'done');
  const rig = afterActionRig({ onSuccess: { moveTo: done }, onFailure: 'keep' });
  mkdirSync(done);
  writeFileSync(join(done, 'a.txt'), 'first');
  mkdirSync(join(done, 'a-2.txt'));
  rig.write('a.txt', 'third');
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  await rig.finish();
  expect(readFileSync(join(done, 'a.txt'), 'utf8')).toBe('first');
  expect(readFileSync(join(done, 'a-3.txt'), 'utf8')).toBe('third');
});

test('names that are not UTF-8 are moved byte for byte', async () => {
  const done = join(testFolder(), 'done');
  const rig = afterActionRig({ onSuccess: { moveTo: done }, onFailure: 'keep' });
  const bytes = Buffer.concat([Buffer.from('x/'), Buffer.from([0xff, 0xfe, 0x41])]);
  const name = pathNameOf(bytes);
  mkdirSync(join(rig.root, 'x'));
  writeFileSync(pathOnDisk(rig.root, name), 'raw');
  rig.record([receiptFor(rig.root, name)]);
  await rig.finish();
  expect(readdirSync(join(rig.root, 'x'))).toEqual([]);
  expect(readdirSync(Buffer.from(join(done, 'x')), { encoding: 'buffer' })).toEqual([bytes.subarray(2)]);
});

test.each(['edited', 'touched', 'replaced by a symlink', 'replaced by a folder'])(
  'a file that was %s since is not that version, and stays',
  async (what) => {
    const rig = afterActionRig(DELETE);
    rig.write('a.txt', 'one');
    rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
    const path = join(rig.root, 'a.txt');
    if (what === 'edited') writeFileSync(path, 'another');
    if (what === 'touched') utimesSync(path, 1, 1);
    if (what.startsWith('replaced')) rmSync(path);
    if (what.endsWith('symlink')) symlinkSync('/etc/hostname', path);
    if (what.endsWith('folder')) mkdirSync(path);
    await rig.finish();
    expect(readdirSync(rig.root)).toEqual(['a.txt']);
    expect(rig.ledger.intents.count()).toBe(0);
  },
);

/** Does something once, as soon as a step is reached. */
function onceAt(step: ActionStep, work: () => void): (reached: ActionStep) => void {
  let done = false;
  return (reached) => {
    if (reached !== step || done) return;
    done = true;
    work();
  };
}

test('a file that takes the name while another is aside is not touched', async () => {
  const rig = afterActionRig(DELETE);
  rig.write('a.txt', 'old');
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  await rig.finish({ failpoint: onceAt('aside', () => rig.write('a.txt', 'newer')) });
  expect(rig.files()).toEqual(['a.txt']);
  expect(readFileSync(join(rig.root, 'a.txt'), 'utf8')).toBe('newer');
});

test('a file that cannot be moved is put back, beside what took its name, and tried again', async () => {
  const folder = testFolder();
  const done = join(folder, 'done');
  writeFileSync(done, 'not a folder');
  const rig = afterActionRig({ onSuccess: { moveTo: done }, onFailure: 'keep' });
  rig.write('a.txt', 'old');
  rig.write('b.txt', 'b');
  rig.record([receiptFor(rig.root, { path: 'a.txt' }), receiptFor(rig.root, { path: 'b.txt' })]);
  const runner = rig.start({
    retryMs: 20,
    failpoint: onceAt('aside', () => rig.write('a.txt', 'newer')),
  });
  await vi.waitFor(() => expect(rig.files()).toEqual(['a-2.txt', 'a.txt', 'b.txt']));
  expect(readFileSync(join(rig.root, 'a-2.txt'), 'utf8')).toBe('old');
  // Said once the file has its name back.
  await vi.waitFor(() => expect(rig.log.lines.map(({ level }) => level)).toContain('warn'));
  rmSync(done);
  await vi.waitFor(() => expect(existsSync(join(done, 'b.txt'))).toBe(true));
  await runner.stop();
  expect(rig.files()).toEqual(['a-2.txt', 'a.txt']);
});

test('after a completed delete the same version goes again when it reappears, until that is recorded', async () => {
  const rig = afterActionRig(DELETE);
  rig.write('a.txt', 'one');
  utimesSync(join(rig.root, 'a.txt'), 1_000, 1_000);
  const receipt = receiptFor(rig.root, { path: 'a.txt' });
  rig.record([receipt]);
  expect(nextGeneration(rig.ledger.find(receipt.id))).toBeNull();
  await rig.finish();
  expect(nextGeneration(rig.ledger.find(receipt.id))).toBe(1);
  rig.record([{ ...receipt, gen: 1 }], { onSuccess: 'keep', onFailure: 'keep' });
  expect(nextGeneration(rig.ledger.find(receipt.id))).toBeNull();
  expect(rig.ledger.counts().latest).toEqual({ uploaded: 1, failed: 0, skipped: 0 });
});

test('a file the user took away himself is not ours to send again', async () => {
  const rig = afterActionRig(DELETE);
  rig.write('a.txt');
  const receipt = receiptFor(rig.root, { path: 'a.txt' });
  rig.record([receipt]);
  rmSync(join(rig.root, 'a.txt'));
  await rig.finish();
  expect(nextGeneration(rig.ledger.find(receipt.id))).toBeNull();
  expect(rig.ledger.intents.count()).toBe(0);
});

test('what was asked for again, or is recorded anew, is left to the newer generation', async () => {
  const rig = afterActionRig(DELETE);
  rig.write('a.txt');
  rig.write('b.txt');
  const [a, b] = [receiptFor(rig.root, { path: 'a.txt' }), receiptFor(rig.root, { path: 'b.txt' })];
  rig.record([a, b]);
  rig.record([{ ...a, gen: 1 }], { onSuccess: 'keep', onFailure: 'keep' });
  expect(rig.ledger.sendAgain([markOf(a), markOf(b)])).toBe(1);
  expect(rig.ledger.notes(null, 99).again).toEqual([markOf(b)]);
  await rig.finish();
  expect(rig.files()).toEqual(['a.txt', 'b.txt']);
  expect(rig.ledger.intents.count()).toBe(0);
});

test('a folder that is not there concludes nothing', async () => {
  const rig = afterActionRig(DELETE);
  rig.write('a.txt');
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  renameSync(rig.root, `${rig.root}-unmounted`);
  const runner = rig.start({ retryMs: 20 });
  await runner.settled();
  expect(rig.ledger.intents.count()).toBe(1);
  renameSync(`${rig.root}-unmounted`, rig.root);
  await vi.waitFor(() => expect(rig.ledger.intents.count()).toBe(0));
  expect(rig.files()).toEqual([]);
});

test('what the configuration no longer wants is undone at start, not done', async () => {
  const rig = afterActionRig(DELETE);
  rig.write('a.txt');
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  const [stored] = rig.ledger.intents.take(0, 1);
  if (stored === undefined) throw new Error('no intent');
  const { aside } = pathsOf(stored.intent);
  renameSync(join(rig.root, 'a.txt'), join(rig.root, aside.toString()));
  await rig.finish({ onSuccess: 'keep' });
  expect(rig.files()).toEqual(['a.txt']);
  expect(rig.ledger.intents.count()).toBe(0);
});

test('hundreds of files are all done, and the ledger forgets the intents', async () => {
  const rig = afterActionRig(DELETE);
  const paths = Array.from({ length: 300 }, (_, index) => `d${index % 7}/${index}.txt`);
  for (const path of paths) rig.write(path);
  rig.record(paths.map((path) => receiptFor(rig.root, { path })));
  await rig.finish();
  expect(rig.files()).toEqual([]);
  expect(rig.ledger.intents.count()).toBe(0);
});

test('intents that come while it sleeps are done when it is woken', async () => {
  const rig = afterActionRig(DELETE);
  const runner = rig.start();
  await runner.settled();
  rig.write('a.txt');
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  runner.wake();
  await vi.waitFor(() => expect(rig.files()).toEqual([]));
});

test('a move that had made the new name before a crash is finished, not done twice', async () => {
  const done = join(testFolder(), 'done');
  const rig = afterActionRig({ onSuccess: { moveTo: done }, onFailure: 'keep' });
  rig.write('a.txt', 'same');
  mkdirSync(done);
  linkSync(join(rig.root, 'a.txt'), join(done, 'a.txt'));
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  await rig.finish();
  expect(readdirSync(done)).toEqual(['a.txt']);
  expect(statSync(join(done, 'a.txt')).nlink).toBe(1);
});

test.each([
  ['a/report.pdf', 2, 'a/report-2.pdf'],
  ['report', 10, 'report-10'],
  ['a.b/.hidden', 2, 'a.b/.hidden-2'],
  [`${'x'.repeat(251)}.pdf`, 2, `${'x'.repeat(249)}-2.pdf`],
  [`${'文'.repeat(84)}.d`, 2, `${'文'.repeat(83)}-2.d`],
])('%s gets the suffix of try %i', (path, count, wanted) => {
  expect(suffixed(Buffer.from(path), count).toString()).toBe(wanted);
});

test.skipIf(process.platform !== 'linux').each<[string, AfterActions['onSuccess']]>([
  ['deleted', 'delete'],
  ['moved', { moveTo: 'done' }],
])(
  'a file that another process has open for writing is not %s until it is closed; readers do not matter',
  async (_, wanted) => {
    const actions: AfterActions = { onSuccess: wanted, onFailure: 'keep' };
    const rig = afterActionRig(actions);
    const onSuccess = typeof wanted === 'object' ? { moveTo: join(rig.folder, wanted.moveTo) } : wanted;
    for (const name of ['written.txt', 'read.txt']) rig.write(name);
    rig.record(
      ['written.txt', 'read.txt'].map((path) => receiptFor(rig.root, { path })),
      { ...actions, onSuccess },
    );
    const writer = spawn('sh', ['-c', 'exec 3>>written.txt 4<read.txt; echo open; read line'], {
      cwd: rig.root,
    });
    onTestFinished(() => void writer.kill('SIGKILL'));
    await once(writer.stdout, 'data');
    const runner = rig.start({ onSuccess, retryMs: 20 });
    await runner.settled();
    await vi.waitFor(() => expect(rig.ledger.intents.count()).toBe(1));
    await vi.waitFor(() => expect(rig.files()).toEqual(['written.txt']));
    writer.stdin.end();
    await vi.waitFor(() => expect(rig.ledger.intents.count()).toBe(0));
    expect(rig.files()).toEqual([]);
  },
);
