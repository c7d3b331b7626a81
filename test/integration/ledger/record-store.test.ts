import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { adHocSourceName } from '../../../src/ledger/store/ad-hoc-source.ts';
import { openDataDir, sourceFolder } from '../../../src/ledger/store/data-dir.ts';
import { ledgerPathOf, readSourceLedger } from '../../../src/ledger/store/source-store.ts';
import { rebuildLedger } from '../../../src/ledger/upkeep/rebuild-ledger.ts';
import {
  finishedJob,
  lineOf,
  memoryFinishedJobs,
  recorderRig,
  rememberingLog,
  storeIn,
  testFolder,
} from '../../support/record-rig.ts';
import { jobFor } from '../../support/upload-job.ts';

function mode(path: string): number {
  return statSync(path).mode & 0o777;
}

test('the data folder is closed to others and carries its layout', async () => {
  const folder = testFolder();
  const store = await storeIn(folder);
  await store.close();
  expect(readFileSync(join(folder, 'data', 'version'), 'utf8')).toBe('1\n');
  for (const path of ['data', 'data/sources/inbox', 'data/sources/inbox/ledger'])
    expect(mode(join(folder, path))).toBe(0o700);
  expect(mode(join(folder, 'inbox.manifest.jsonl'))).toBe(0o600);
});

test('a data folder of a newer Slipway is refused and left alone', async () => {
  const folder = testFolder();
  writeFileSync(join(folder, 'version'), '2\n');
  await expect(openDataDir(folder)).rejects.toMatchObject({
    code: 'data_dir_newer',
    details: { found: 2, known: 1 },
  });
  expect(readdirSync(folder)).toEqual(['version']);
});

test('a data folder that is a file, or whose version is no number, is named', async () => {
  const folder = testFolder();
  writeFileSync(join(folder, 'file'), '');
  await expect(openDataDir(join(folder, 'file'))).rejects.toMatchObject({ code: 'data_dir' });
  writeFileSync(join(folder, 'version'), 'one');
  await expect(openDataDir(folder)).rejects.toMatchObject({ code: 'data_dir' });
});

test.each(['', '.', '..', 'a/b', 'a\\b'])('the name %j cannot leave the sources folder', (name) => {
  expect(() => sourceFolder('/data', name)).toThrowError(expect.objectContaining({ code: 'data_dir' }));
});

test('a ledger can be read beside its owner, and is null before there is one', async () => {
  const folder = testFolder();
  expect(readSourceLedger(join(folder, 'data'), 'inbox')).toBeNull();
  const rig = await recorderRig({ folder, finished: memoryFinishedJobs([finishedJob('a')]) });
  await rig.recorder.drained();
  const reader = readSourceLedger(join(folder, 'data'), 'inbox');
  onTestFinished(async () => reader?.close());
  expect(reader?.counts().latest.uploaded).toBe(1);
});

test('a lost data folder is built again from the manifest, and nothing is forgotten', async () => {
  const folder = testFolder();
  const first = await recorderRig({
    folder,
    finished: memoryFinishedJobs([finishedJob('a'), finishedJob('b')]),
  });
  await first.recorder.drained();
  await first.recorder.stop();
  await first.store.close();
  rmSync(join(folder, 'data'), { recursive: true });
  const again = await recorderRig({ folder });
  expect(again.store.ledger.find(jobFor('b').id)).toMatchObject({ status: 'uploaded' });
  expect(again.store.ledger.id).not.toBe(first.store.ledger.id);
});

test('a journal that is gone stops the start, and the ledger is still there', async () => {
  const folder = testFolder();
  const rig = await recorderRig({ folder, finished: memoryFinishedJobs([finishedJob('a')]) });
  await rig.recorder.drained();
  await rig.recorder.stop();
  await rig.store.close();
  rmSync(rig.store.journal.path);
  await expect(storeIn(folder)).rejects.toMatchObject({ code: 'journal_short' });
  expect(existsSync(rig.store.journal.path)).toBe(false);
});

test('a rebuilt ledger takes the place of the old one, which is kept aside', async () => {
  const folder = testFolder();
  const store = await storeIn(folder);
  const { journal } = store;
  await journal.append([lineOf('a'), lineOf('a', { status: 'failed' }), lineOf('b', { status: 'skipped' })]);
  await store.close();
  const ledger = ledgerPathOf(join(folder, 'data'), 'inbox');
  // What an earlier rebuild left when it was killed.
  mkdirSync(`${ledger}.new`);
  writeFileSync(join(`${ledger}.new`, 'data.mdb'), 'half');

  const result = await rebuildLedger({ ledger, journal: journal.path, log: rememberingLog() });
  expect(result).toEqual({ receipts: 2, previous: `${ledger}.old` });
  expect(existsSync(join(result.previous, 'data.mdb'))).toBe(true);
  expect(existsSync(`${ledger}.new`)).toBe(false);
  const again = await storeIn(folder);
  expect(again.ledger.counts().total).toEqual({ uploaded: 1, failed: 0, skipped: 1 });
  expect(again.ledger.mark()).toBe(again.journal.size());
  await again.close();
});

test('a rebuild from a broken journal leaves the old ledger where it is', async () => {
  const folder = testFolder();
  const rig = await recorderRig({ folder, finished: memoryFinishedJobs([finishedJob('a')]) });
  await rig.recorder.drained();
  await rig.recorder.stop();
  await rig.store.close();
  const ledger = ledgerPathOf(join(folder, 'data'), 'inbox');
  writeFileSync(rig.store.journal.path, `${lineOf('a')}\nnonsense\n`);
  await expect(
    rebuildLedger({ ledger, journal: rig.store.journal.path, log: rememberingLog() }),
  ).rejects.toMatchObject({
    code: 'journal_corrupt',
  });
  const kept = readSourceLedger(join(folder, 'data'), 'inbox');
  expect(kept?.id).toBe(rig.store.ledger.id);
  await kept?.close();
});

test('an ad-hoc source is named after its folder and found again by its path', async () => {
  const dataDir = join(testFolder(), 'data');
  expect(await adHocSourceName(dataDir, '/home/ann/scans')).toBe('scans');
  expect(await adHocSourceName(dataDir, '/home/bob/scans')).toBe('scans-2');
  expect(await adHocSourceName(dataDir, '/srv/Scans')).toBe('Scans-3');
  expect(await adHocSourceName(dataDir, '/home/bob/scans')).toBe('scans-2');
  expect(await adHocSourceName(dataDir, '/home/ann/scans')).toBe('scans');
  expect(JSON.parse(readFileSync(join(dataDir, 'sources', 'scans-2', 'source.json'), 'utf8'))).toEqual({
    v: 1,
    name: 'scans-2',
    path: '/home/bob/scans',
  });
  expect(mode(join(dataDir, 'sources', 'scans-2'))).toBe(0o700);
});

test('an ad-hoc source does not take the name of a configured one, opened or not', async () => {
  const folder = testFolder();
  await (await storeIn(folder)).close();
  expect(await adHocSourceName(join(folder, 'data'), '/other/inbox')).toBe('inbox-2');
  expect(await adHocSourceName(join(folder, 'data'), '/other/outbox', ['outbox'])).toBe('outbox-2');
});

test.each([
  ['/', 'source'],
  ['/a/...', 'source'],
  ['/a/.hidden', 'hidden'],
  ['/a/two words: one', 'two-words-one'],
  ['/a/文档', '文档'],
  [`/a/${'x'.repeat(200)}`, 'x'.repeat(48)],
])('the folder %s makes the source %s', async (path, name) => {
  expect(await adHocSourceName(join(testFolder(), 'data'), path)).toBe(name);
});

test('two processes that name the same folder at once end with two usable names', async () => {
  const dataDir = join(testFolder(), 'data');
  const names = await Promise.all(['/a/x', '/b/x', '/c/x'].map((path) => adHocSourceName(dataDir, path)));
  expect(new Set(names).size).toBe(3);
  expect(readdirSync(join(dataDir, 'sources')).sort()).toEqual([...names].sort());
});
