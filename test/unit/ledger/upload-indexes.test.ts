/** What the owner keeps beside the ledger to know uploads, verdicts and its first pass again. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import type { Outcome } from '../../../src/domain/receipt.ts';
import { type Ledger, openLedger, readLedger } from '../../../src/ledger/ledger.ts';
import { ledgerEntryOf } from '../../../src/ledger/ledger-entry.ts';
import { openChangedVerdicts } from '../../../src/ledger/tables/changed-verdicts.ts';
import { openContentIndex } from '../../../src/ledger/tables/content-index.ts';
import { openCursors } from '../../../src/ledger/tables/cursors.ts';
import { firstPassOf, keepFirstPassAhead, openFirstPass } from '../../../src/ledger/tables/first-pass.ts';
import { type InodeState, openInodeIndex } from '../../../src/ledger/tables/inode-index.ts';
import { buildLedger } from '../../../src/ledger/upkeep/build-ledger.ts';
import { lineOf, receiptOf, testFolder } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

function ledgerIn(folder: string, name = 'ledger'): Ledger {
  const ledger = openLedger(join(folder, name));
  onTestFinished(() => ledger.close());
  return ledger;
}

/** Commits one receipt, as the recorder does. */
function commit(ledger: Ledger, outcome: Outcome): void {
  const offset = ledger.mark();
  ledger.commit([ledgerEntryOf(receiptOf(outcome), { offset, length: 10 })], offset + 11);
}

const STATE: InodeState = { dev: 1n, ino: 2n, birthtimeNs: 3n, size: 4, mtimeNs: '5' };

test('an upload is found by the file it was read from, and by no other state of it', () => {
  const ledger = ledgerIn(testFolder());
  const inodes = openInodeIndex(ledger);
  const a = uploadedOutcome('a');
  inodes.remember(`${a.id}-0`, STATE);
  expect(inodes.find(STATE)).toBeNull();
  commit(ledger, a);
  expect(inodes.find(STATE)).toBe(a.id);
  for (const change of [{ dev: 9n }, { ino: 9n }, { birthtimeNs: 9n }, { size: 9 }, { mtimeNs: '9' }])
    expect(inodes.find({ ...STATE, ...change })).toBeNull();
});

test('nothing is written for what failed, was forgotten, or lies where no birth times are kept', () => {
  const ledger = ledgerIn(testFolder());
  const inodes = openInodeIndex(ledger);
  const failed = { ...uploadedOutcome('failed'), status: 'failed' } as const;
  inodes.remember(`${failed.id}-0`, STATE);
  commit(ledger, failed);
  commit(ledger, uploadedOutcome('forgotten'));
  const unborn = uploadedOutcome('unborn');
  inodes.remember(`${unborn.id}-0`, { ...STATE, birthtimeNs: 0n });
  commit(ledger, unborn);
  expect([inodes.find(STATE), inodes.find({ ...STATE, birthtimeNs: 0n })]).toEqual([null, null]);
  expect(ledger.table('inodes')?.getCount()).toBe(0);
});

test('a file that is used again for another upload is the other one; numbers as large as they come are kept', () => {
  const ledger = ledgerIn(testFolder());
  const inodes = openInodeIndex(ledger);
  const large = { dev: 2n ** 64n - 1n, ino: 2n ** 63n, birthtimeNs: -1n, size: 2 ** 52, mtimeNs: '-1' };
  for (const path of ['a', 'b']) {
    const outcome = uploadedOutcome(path);
    inodes.remember(`${outcome.id}-0`, large);
    commit(ledger, outcome);
  }
  expect(inodes.find(large)).toBe(uploadedOutcome('b').id);
});

function changedAt(gen: number, code: string | null = 'changed'): Outcome {
  const error = { code: code ?? '', kind: 'skipped', message: '', httpStatus: null, at: '' };
  const outcome = { ...uploadedOutcome('a'), gen };
  return code === null ? outcome : { ...outcome, status: 'skipped', error };
}

test('verdicts in a row are counted until another one comes between, across a restart', async () => {
  const folder = testFolder();
  const { id } = uploadedOutcome('a');
  let ledger = openLedger(join(folder, 'ledger'));
  let verdicts = openChangedVerdicts(ledger);
  commit(ledger, changedAt(0));
  commit(ledger, changedAt(1));
  expect([verdicts.inARow(id, 0), verdicts.inARow(id, 1)]).toEqual([0, 2]);
  await ledger.close();
  ledger = openLedger(join(folder, 'ledger'));
  onTestFinished(() => ledger.close());
  verdicts = openChangedVerdicts(ledger);
  commit(ledger, changedAt(2));
  expect(verdicts.inARow(id, 2)).toBe(3);
  commit(ledger, changedAt(3, 'vanished'));
  commit(ledger, changedAt(4));
  expect(verdicts.inARow(id, 4)).toBe(1);
  commit(ledger, changedAt(5, null));
  expect(verdicts.inARow(id, 5)).toBe(0);
});

test('contents are read from the journal once, then kept with every commit; another destination has its own', async () => {
  const folder = testFolder();
  const journal = join(folder, 'm.jsonl');
  const [one, two] = ['1'.repeat(64), '2'.repeat(64)];
  const lines = [lineOf('a', { sha256: one }), lineOf('failed', { sha256: two, status: 'failed' })];
  writeFileSync(journal, lines.map((line) => `${line}\n`).join(''));
  const ledger = ledgerIn(folder);
  let offset = 0;
  for (const [index, path] of ['a', 'failed'].entries()) {
    const length = Buffer.byteLength(lines[index] ?? '');
    ledger.commit([ledgerEntryOf(receiptOf(uploadedOutcome(path)), { offset, length })], offset + length + 1);
    offset += length + 1;
  }
  const contents = await openContentIndex({ ledger, journal, log: silentLog });
  const { id, destination } = uploadedOutcome('a');
  expect([contents.find(one, destination), contents.find(one, 'elsewhere')]).toEqual([id, null]);
  expect(contents.find(two, destination)).toBeNull();
  commit(ledger, { ...uploadedOutcome('b'), sha256: two });
  expect(contents.find(two, destination)).toBe(uploadedOutcome('b').id);
  // Nothing is left to be read: what is not a receipt would be refused.
  appendFileSync(journal, 'x'.repeat(100));
  await openContentIndex({ ledger, journal, log: silentLog });
});

test('the first pass is open until it is complete, whatever happens between, and begins once', async () => {
  const folder = testFolder();
  const ledger = ledgerIn(folder);
  expect(firstPassOf(null, 70)).toBe(70);
  expect(firstPassOf(ledger, 80)).toBe(80);
  expect(openFirstPass(ledger, 'skip', 100).startedMs()).toBe(100);
  const second = openFirstPass(ledger, 'skip', 200);
  expect([second.startedMs(), firstPassOf(ledger, 300)]).toEqual([100, 100]);
  second.complete();
  expect([second.startedMs(), firstPassOf(ledger, 300)]).toEqual([null, null]);
  expect(openFirstPass(ledger, 'skip', 400).startedMs()).toBeNull();
});

test('with existing: upload there is no first pass, then or later', () => {
  const ledger = ledgerIn(testFolder());
  expect(openFirstPass(ledger, 'upload', 100).startedMs()).toBeNull();
  expect(openFirstPass(ledger, 'skip', 200).startedMs()).toBeNull();
});

test('a ledger made from its journal had its start long ago; one that got receipts from elsewhere has it ahead', () => {
  const made = ledgerIn(testFolder());
  commit(made, uploadedOutcome('a'));
  expect(firstPassOf(made, 100)).toBeNull();
  expect(openFirstPass(made, 'skip', 100).startedMs()).toBeNull();
  const imported = ledgerIn(testFolder());
  keepFirstPassAhead(imported);
  commit(imported, uploadedOutcome('a'));
  keepFirstPassAhead(imported);
  expect(firstPassOf(imported, 100)).toBe(100);
  expect(openFirstPass(imported, 'skip', 100).startedMs()).toBe(100);
  expect(openFirstPass(imported, 'skip', 200).startedMs()).toBe(100);
});

test('a ledger that is built anew keeps inodes, verdicts and the first pass, and reads contents again', async () => {
  const folder = testFolder();
  const journal = join(folder, 'm.jsonl');
  writeFileSync(journal, `${lineOf('a')}\n`);
  // So many durable commits would take seconds.
  const before = openLedger(join(folder, 'ledger'), 'at close');
  onTestFinished(() => before.close());
  const inodes = openInodeIndex(before);
  openChangedVerdicts(before);
  openFirstPass(before, 'skip', 100);
  const { id } = uploadedOutcome('a');
  for (let index = 0; index < 1_500; index += 1) {
    const outcome = uploadedOutcome(`${index}`);
    inodes.remember(`${outcome.id}-0`, { ...STATE, ino: BigInt(index) });
    commit(before, outcome);
  }
  commit(before, changedAt(0));
  await openContentIndex({ ledger: before, journal, log: silentLog }).catch(() => undefined);
  await buildLedger({ path: join(folder, 'new'), journal, before, log: silentLog });
  const built = ledgerIn(folder, 'new');
  expect(openInodeIndex(built).find({ ...STATE, ino: 1_499n })).toBe(uploadedOutcome('1499').id);
  expect(openChangedVerdicts(built).inARow(id, 0)).toBe(1);
  expect(openFirstPass(built, 'skip', 200).startedMs()).toBe(100);
  expect(openCursors(built)?.get('contents')).toBeUndefined();
});

test('a reader of a ledger from before finds none of it, and says so without writing', async () => {
  const folder = testFolder();
  const written = openLedger(join(folder, 'ledger'));
  await written.close();
  const reader = readLedger(join(folder, 'ledger'));
  if (reader === null) throw new Error('no ledger');
  onTestFinished(() => reader.close());
  expect(openCursors(reader)).toBeNull();
  expect(firstPassOf(reader, 100)).toBe(100);
});
