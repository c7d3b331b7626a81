import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Outcome } from '../../../src/domain/receipt.ts';
import { intentsFor } from '../../../src/ledger/intent.ts';
import { replayJournal } from '../../../src/ledger/journal/journal-replay.ts';
import { openRecordReader } from '../../../src/ledger/store/record-reader.ts';
import { applyResend } from '../../../src/ledger/store/resend-request.ts';
import { ownerOf } from '../../../src/ledger/store/source-lock.ts';
import { markOf } from '../../../src/ledger/tables/intent-table.ts';
import { compactSource } from '../../../src/ledger/upkeep/compact-journal.ts';
import { importReceipts, sourcesIn } from '../../../src/ledger/upkeep/import-receipts.ts';
import { rebuildSource } from '../../../src/ledger/upkeep/rebuild-ledger.ts';
import { journalLines, lineOf, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';
import { jobFor } from '../../support/upload-job.ts';

const COMPACT = join(import.meta.dirname, '../../support/compact-process.ts');

function placeIn(folder: string) {
  const manifest = join(folder, 'inbox.manifest.json');
  return { dataDir: join(folder, 'data'), source: 'inbox', manifest, log: rememberingLog() };
}

function journalIn(folder: string): string {
  return join(folder, 'inbox.manifest.jsonl');
}

/** 30 paths with three generations each, two of them with a second version; `a` has an intent, `b` goes again. */
async function filled(folder: string): Promise<void> {
  const { ledger, journal, close } = await storeIn(folder);
  const lines: string[] = [];
  for (let gen = 0; gen < 3; gen += 1)
    for (let index = 0; index < 30; index += 1) lines.push(lineOf(`p${index}`, { gen }));
  for (const path of ['p0', 'p1']) lines.push(lineOf(path, secondVersion(path)));
  lines.push(lineOf('a'), lineOf('b'));
  await journal.append(lines);
  const intentOf = intentsFor({ onSuccess: 'delete', onFailure: 'keep', root: folder });
  await replayJournal({
    journal,
    ledger,
    log: rememberingLog(),
    intentOf: (receipt) => (receipt.path === 'a' ? intentOf(receipt) : null),
  });
  ledger.sendAgain([markOf({ id: jobFor('b').id, gen: 0 })]);
  await close();
}

function secondVersion(path: string): Partial<Outcome> {
  return {
    id: jobFor(path, 'other').id,
    destination: 'other',
    status: 'failed',
    queuedAt: '2026-11-23T00:00:00.000Z',
  };
}

async function expectCompactedOrNot(folder: string): Promise<void> {
  const { ledger, journal, close } = await storeIn(folder);
  expect(await replayJournal({ journal, ledger, log: rememberingLog() })).toBe(0);
  expect(ledger.mark()).toBe(journal.size());
  expect(ledger.counts().latest).toEqual({ uploaded: 30, failed: 2, skipped: 0 });
  expect(ledger.find(jobFor('p7').id)).toMatchObject({ gen: 2 });
  expect(ledger.find(jobFor('p0', 'other').id)).toMatchObject({ status: 'failed' });
  expect(ledger.intents.take(0, 9).map(({ intent }) => intent.path)).toEqual(['a']);
  expect(ledger.find(jobFor('b').id)).toMatchObject({ again: true });
  for (const path of ['p7', 'a']) {
    const recorded = ledger.findPath({ path });
    if (recorded === null) throw new Error(`${path} is forgotten`);
    expect(await journal.read(recorded)).toMatchObject({ path });
  }
  // It goes on from here.
  const [place] = await journal.append([lineOf('new')]);
  expect(place?.offset).toBe(ledger.mark());
  await replayJournal({ journal, ledger, log: rememberingLog() });
  expect(ledger.findPath({ path: 'new' })).not.toBeNull();
  await close();
}

test('compacting keeps the latest receipt of every path, and the ledger agrees', async () => {
  const folder = testFolder();
  await filled(folder);
  const before = statSync(journalIn(folder)).size;
  const result = await compactSource(placeIn(folder));
  expect(result).toEqual({ bytesBefore: before, bytesAfter: statSync(journalIn(folder)).size, dropped: 62 });
  expect(journalLines(journalIn(folder))).toHaveLength(32);
  expect(statSync(journalIn(folder)).mode & 0o777).toBe(0o600);
  const left = readdirSync(folder).filter((name) => !name.startsWith('.slipway-lock-'));
  expect(left.sort()).toEqual(['data', 'inbox.manifest.jsonl']);
  await expectCompactedOrNot(folder);
});

test.each([
  'journal-built',
  'ledger-built',
  'announced',
  'journal-replaced',
  'ledger-away',
  'ledger-replaced',
  'switched',
])('killed once it is %s, a start finds journal and ledger in step and nothing forgotten', async (step) => {
  const folder = testFolder();
  await filled(folder);
  const run = spawnSync(process.execPath, [COMPACT, folder, step], { encoding: 'utf8' });
  expect(run.signal).toBe('SIGKILL');
  const lines = step.endsWith('built') ? 94 : 32;
  await expectCompactedOrNot(folder);
  expect(journalLines(journalIn(folder))).toHaveLength(lines + 1);
  const sourceFiles = readdirSync(join(folder, 'data/sources/inbox'));
  expect(sourceFiles).not.toContain('compact.json');
  expect(sourceFiles).not.toContain('ledger.compact');
  // And it can be done again.
  await compactSource(placeIn(folder));
  expect(journalLines(journalIn(folder))).toHaveLength(33);
});

test('a compacted journal that got lost before the switch leaves the old state', async () => {
  const folder = testFolder();
  await filled(folder);
  expect(spawnSync(process.execPath, [COMPACT, folder, 'announced']).signal).toBe('SIGKILL');
  rmSync(`${journalIn(folder)}.compact`);
  await expectCompactedOrNot(folder);
});

test('nothing of it runs while a process owns the source, and the error names it', async () => {
  const folder = testFolder();
  const store = await storeIn(folder);
  const place = placeIn(folder);
  expect(ownerOf(place.dataDir, 'inbox')).toBe(process.pid);
  const refused = { code: 'source_owned', details: { source: 'inbox', pid: process.pid } };
  await expect(compactSource(place)).rejects.toMatchObject(refused);
  await expect(rebuildSource(place)).rejects.toMatchObject(refused);
  await expect(importReceipts({ ...place, file: '/dev/null', from: 'inbox' })).rejects.toMatchObject(refused);
  await store.close();
  expect(ownerOf(place.dataDir, 'inbox')).toBeNull();
  await compactSource(place);
});

test('a rebuilt ledger still knows what is to be done with files, and what goes again', async () => {
  const folder = testFolder();
  await filled(folder);
  expect(await rebuildSource(placeIn(folder))).toMatchObject({ receipts: 94 });
  await expectCompactedOrNot(folder);
});

test('without a journal there is nothing to rebuild from, and the ledger stays', async () => {
  const folder = testFolder();
  await filled(folder);
  rmSync(journalIn(folder));
  await expect(rebuildSource(placeIn(folder))).rejects.toMatchObject({ code: 'journal_missing' });
  expect(existsSync(join(folder, 'data/sources/inbox/ledger/data.mdb'))).toBe(true);
});

test('a damaged ledger is rebuilt from the journal alone', async () => {
  const folder = testFolder();
  await filled(folder);
  writeFileSync(join(folder, 'data/sources/inbox/ledger/data.mdb'), 'nonsense '.repeat(99));
  await rebuildSource(placeIn(folder));
  const { ledger, close } = await storeIn(folder);
  expect(ledger.counts().total.uploaded).toBe(92);
  await close();
});

test('receipts of another machine are added once, and what is known is passed over', async () => {
  const folder = testFolder();
  await filled(folder);
  const file = join(folder, 'theirs.jsonl');
  const theirs = [lineOf('x'), lineOf('p3', { gen: 1 }), lineOf('p3', { gen: 3 }), lineOf('x'), lineOf('y')];
  // The last line without its newline, as an editor may leave it.
  writeFileSync(file, theirs.join('\n'));
  const place = { ...placeIn(folder), file, from: 'inbox' };
  expect(await importReceipts(place)).toEqual({ added: 3, known: 2 });
  expect(await importReceipts(place)).toEqual({ added: 0, known: 5 });
  const { ledger, journal, close } = await storeIn(folder);
  expect(ledger.mark()).toBe(journal.size());
  expect(ledger.find(jobFor('p3').id)).toMatchObject({ gen: 3 });
  expect(ledger.findPath({ path: 'y' })).toMatchObject({ status: 'uploaded' });
  // Nothing is moved or deleted for what was uploaded elsewhere.
  expect(ledger.intents.count()).toBe(1);
  await close();
});

test('receipts of a source of another name are made out for this one', async () => {
  const folder = testFolder();
  const file = join(folder, 'theirs.jsonl');
  writeFileSync(file, `${lineOf('x', { source: 'scans', id: `f${'0'.repeat(32)}` })}\n${lineOf('y')}\n`);
  expect(await sourcesIn(file)).toEqual(new Set(['scans', 'inbox']));
  const place = placeIn(folder);
  expect(await importReceipts({ ...place, file, from: 'scans' })).toEqual({ added: 1, known: 0 });
  const [line] = journalLines(journalIn(folder));
  expect(line).toMatchObject({ source: 'inbox', path: 'x', id: jobFor('x').id });
});

test('a line that is no receipt stops the import with its byte; what came before is kept', async () => {
  const folder = testFolder();
  const file = join(folder, 'theirs.jsonl');
  writeFileSync(file, `${lineOf('x')}\nnot a receipt\n`);
  const place = { ...placeIn(folder), file, from: 'inbox' };
  const offset = lineOf('x').length + 1;
  await expect(importReceipts(place)).rejects.toMatchObject({ code: 'journal_corrupt', details: { offset } });
});

test('a request for one path is applied once, however often it comes', async () => {
  const folder = testFolder();
  await filled(folder);
  const { ledger, journal, close } = await storeIn(folder);
  const request = { name: { path: 'p5' }, mark: ledger.mark() } as const;
  const applied = { versions: 1, next: null };
  expect(await applyResend(request, ledger, journal.path, 0)).toEqual(applied);
  expect(ledger.find(jobFor('p5').id)).toMatchObject({ gen: 2, again: true });
  expect(await applyResend(request, ledger, journal.path, 0)).toEqual(applied);
  expect(ledger.find(jobFor('p5').id)).toMatchObject({ gen: 2, again: true });
  // The one who asked was killed before he heard of it, asks again, and the file was sent meanwhile.
  await journal.append([lineOf('p5', { gen: 3 })]);
  await replayJournal({ journal, ledger, log: rememberingLog() });
  expect(await applyResend(request, ledger, journal.path, 0)).toEqual({ ...applied, versions: 0 });
  expect(ledger.find(jobFor('p5').id)).toMatchObject({ gen: 3, again: false });
  await close();
});

test('a request for a whole source marks the latest version of every path, and outlasts a compaction', async () => {
  const folder = testFolder();
  await filled(folder);
  const place = placeIn(folder);
  const { ledger, journal, close } = await storeIn(folder);
  const request = { name: null, mark: ledger.mark() };
  expect(await applyResend(request, ledger, journal.path, 0)).toEqual({ versions: 32, next: null });
  expect(ledger.find(jobFor('p0').id)).toMatchObject({ again: false });
  expect(ledger.find(jobFor('p0', 'other').id)).toMatchObject({ again: true });
  await close();
  await compactSource(place);
  const after = await storeIn(folder);
  expect(after.ledger.find(jobFor('p9').id)).toMatchObject({ again: true });
  await after.close();
});

test('a reader brings a ledger up that a crash left behind, and reads beside an owner', async () => {
  const folder = testFolder();
  await filled(folder);
  appendFileSync(journalIn(folder), `${lineOf('tail')}\n`);
  const reader = await openRecordReader(placeIn(folder));
  expect(await reader?.findPath({ path: 'tail' })).toMatchObject({ path: 'tail' });
  await reader?.close();

  const store = await storeIn(folder);
  onTestFinished(() => store.close());
  const beside = await openRecordReader(placeIn(folder));
  onTestFinished(async () => beside?.close());
  expect(await beside?.find(jobFor('p4').id)).toMatchObject({ path: 'p4', gen: 2 });
  const latest = [];
  for await (const receipts of beside?.latest() ?? []) latest.push(...receipts);
  expect(latest).toHaveLength(33);
  const generations = [];
  for await (const receipts of beside?.all(jobFor('p4').id) ?? []) generations.push(...receipts);
  expect(generations.map(({ gen }) => gen)).toEqual([0, 1, 2]);
});

test('a reader never writes the journal, whose owner may be on another host in the middle of an append', async () => {
  const folder = testFolder();
  await filled(folder);
  appendFileSync(journalIn(folder), '{"v":1,"id":"f01');
  const before = statSync(journalIn(folder));
  rmSync(join(folder, 'data'), { recursive: true });
  const reader = await openRecordReader(placeIn(folder));
  expect(await reader?.findPath({ path: 'b' })).toMatchObject({ path: 'b' });
  await reader?.close();
  const { size, mtimeMs } = statSync(journalIn(folder));
  expect([size, mtimeMs]).toEqual([before.size, before.mtimeMs]);
});

test('what is recorded while the latest receipts are read neither hides nor doubles a path', async () => {
  const folder = testFolder();
  const { ledger, journal, close } = await storeIn(folder);
  onTestFinished(close);
  const log = rememberingLog();
  const big = { remote: 'x'.repeat(6_000) };
  const paths = Array.from({ length: 300 }, (_, index) => `p${index}`);
  await journal.append(paths.map((path) => lineOf(path, big)));
  await replayJournal({ journal, ledger, log });
  const reader = await openRecordReader(placeIn(folder));
  onTestFinished(async () => reader?.close());
  const seen: string[] = [];
  for await (const receipts of reader?.latest() ?? []) {
    if (seen.length === 0) {
      await journal.append(paths.map((path) => lineOf(path, { gen: 1 })));
      await replayJournal({ journal, ledger, log });
    }
    seen.push(...receipts.map(({ path, gen }) => `${path} ${gen}`));
  }
  expect(seen).toEqual(paths.map((path) => `${path} 0`));
});

test('a journal that is gone is said to a reader as it is to a start', async () => {
  const folder = testFolder();
  await filled(folder);
  rmSync(journalIn(folder));
  await expect(openRecordReader(placeIn(folder))).rejects.toMatchObject({ code: 'journal_short' });
});

test('where nothing was ever recorded there is nothing to read', async () => {
  const folder = testFolder();
  expect(await openRecordReader(placeIn(folder))).toBeNull();
  expect(existsSync(join(folder, 'data'))).toBe(false);
});
