import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Outcome } from '../../../src/domain/receipt.ts';
import { type Ledger, openLedger, readLedger } from '../../../src/ledger/ledger.ts';
import { type LedgerEntry, ledgerEntryOf } from '../../../src/ledger/ledger-entry.ts';
import { receiptOf, testFolder } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

function ledgerIn(folder: string): Ledger {
  const ledger = openLedger(join(folder, 'ledger'));
  onTestFinished(() => ledger.close());
  return ledger;
}

function entry(path: string, change: Partial<Outcome> = {}, offset = 0): LedgerEntry {
  return ledgerEntryOf(receiptOf({ ...uploadedOutcome(path), ...change }), { offset, length: 100 });
}

function error(code: string): Outcome['error'] {
  return { code, kind: 'rejected', message: 'no', httpStatus: null, at: '2026-11-22T01:02:05.000Z' };
}

/** The id of a version of a path; versions differ by destination here. */
function version(path: string, destination: string, change: Partial<Outcome> = {}): Partial<Outcome> {
  return { id: uploadedOutcome(path, destination).id, destination, ...change };
}

test('a new ledger knows nothing and has an id that stays', async () => {
  const folder = testFolder();
  const path = join(folder, 'ledger');
  const first = openLedger(path);
  expect(first.find(entry('a').id)).toBeNull();
  expect(first.mark()).toBe(0);
  const { id } = first;
  expect(id).toMatch(/^[0-9a-f]{16}$/);
  await first.close();
  expect(ledgerIn(folder).id).toBe(id);
  expect(ledgerIn(testFolder()).id).not.toBe(id);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test('a commit is seen at once and after reopening', async () => {
  const folder = testFolder();
  const ledger = openLedger(join(folder, 'ledger'));
  const failed = entry('b', { gen: 3, status: 'failed', error: error('400001') }, 2 ** 40);
  expect(ledger.commit([entry('a'), failed], 777)).toBe(2);
  const check = (open: Ledger): void => {
    expect(open.find(failed.id)).toEqual({
      again: false,
      gen: 3,
      status: 'failed',
      code: '400001',
      offset: 2 ** 40,
      length: 100,
    });
    expect(open.findPath({ path: 'a' })).toMatchObject({ status: 'uploaded', code: null });
    expect(open.findPath({ path: 'c' })).toBeNull();
    expect(open.mark()).toBe(777);
    expect(open.counts()).toEqual({
      latest: { uploaded: 1, failed: 1, skipped: 0 },
      total: { uploaded: 1, failed: 1, skipped: 0 },
    });
  };
  check(ledger);
  await ledger.close();
  check(ledgerIn(folder));
});

test('an (id, gen) is recorded once, within a commit and across commits', () => {
  const ledger = ledgerIn(testFolder());
  expect(ledger.commit([entry('a', {}, 0), entry('a', { status: 'failed' }, 101)], 202)).toBe(1);
  expect(ledger.commit([entry('a', { status: 'failed' }, 202)], 303)).toBe(0);
  expect(ledger.find(entry('a').id)).toMatchObject({ status: 'uploaded', offset: 0 });
  expect(ledger.counts().total).toEqual({ uploaded: 1, failed: 0, skipped: 0 });
  expect(ledger.mark()).toBe(303);
});

test('a later generation replaces the earlier one and is counted beside it', () => {
  const ledger = ledgerIn(testFolder());
  ledger.commit([entry('a', { status: 'failed', error: error('rejected') })], 100);
  ledger.commit([entry('a', { gen: 1 }, 101)], 200);
  expect(ledger.find(entry('a').id)).toMatchObject({ gen: 1, status: 'uploaded', code: null, offset: 101 });
  expect(ledger.counts()).toEqual({
    latest: { uploaded: 1, failed: 0, skipped: 0 },
    total: { uploaded: 1, failed: 1, skipped: 0 },
  });
});

test('the latest receipt of a path is that of its newest version, whichever ends last', () => {
  const ledger = ledgerIn(testFolder());
  const later = entry('a', version('a', 'second', { queuedAt: '2026-11-22T02:00:00.000Z' }), 0);
  ledger.commit([later], 100);
  // The version before the edit was waiting out a retry and finds out only now that its file has changed.
  const earlier = entry(
    'a',
    version('a', 'first', {
      status: 'skipped',
      error: error('changed'),
      queuedAt: '2026-11-22T01:00:00.000Z',
    }),
    101,
  );
  expect(ledger.commit([earlier], 200)).toBe(1);
  expect(ledger.findPath({ path: 'a' })).toMatchObject({ status: 'uploaded', offset: 0 });
  expect(ledger.counts()).toEqual({
    latest: { uploaded: 1, failed: 0, skipped: 0 },
    total: { uploaded: 1, failed: 0, skipped: 1 },
  });
  // A retry of it, asked for afterwards, is news again.
  ledger.commit(
    [
      entry(
        'a',
        version('a', 'first', { gen: 1, status: 'failed', queuedAt: '2026-11-22T03:00:00.000Z' }),
        201,
      ),
    ],
    300,
  );
  expect(ledger.findPath({ path: 'a' })).toMatchObject({ status: 'failed', offset: 201 });
  expect(ledger.counts().latest).toEqual({ uploaded: 0, failed: 1, skipped: 0 });
});

test('names that differ only in bytes no string can carry are two paths', () => {
  const ledger = ledgerIn(testFolder());
  const named = (byte: string): Partial<Outcome> => ({
    ...version('caf\uFFFD', byte),
    pathBytes: Buffer.from(`caf${byte}`, 'latin1').toString('base64'),
  });
  ledger.commit([entry('caf\uFFFD', named('\xe9'), 1), entry('caf\uFFFD', named('\xe8'), 2)], 10);
  expect(ledger.counts().latest.uploaded).toBe(2);
  expect(
    ledger.findPath({ path: 'caf\uFFFD', pathBytes: Buffer.from('caf\xe8', 'latin1').toString('base64') }),
  ).toMatchObject({ offset: 2 });
});

test('a pass over the paths meets every latest receipt once', () => {
  const ledger = ledgerIn(testFolder());
  const entries = Array.from({ length: 1_234 }, (_, index) =>
    entry(`${index % 10}/${index}`, {}, index * 101),
  );
  ledger.commit(entries, 1_234 * 101);
  const offsets: number[] = [];
  let after: Buffer | null = null;
  do {
    const page = ledger.latestPage(after, 100);
    offsets.push(...page.offsets);
    expect(page.counts.uploaded).toBe(page.offsets.length);
    after = page.next;
  } while (after !== null);
  expect(offsets.sort((a, b) => a - b)).toEqual(entries.map((one) => one.offset));
});

test('an id that is not ours is kept like any other', () => {
  const ledger = ledgerIn(testFolder());
  ledger.commit([entry('a', { id: 'imported' })], 10);
  expect(ledger.find('imported')).toMatchObject({ gen: 0 });
  expect(ledger.find('other')).toBeNull();
});

test('a reader beside the writer sees what is committed', async () => {
  const folder = testFolder();
  expect(readLedger(join(folder, 'ledger'))).toBeNull();
  const writer = ledgerIn(folder);
  writer.commit([entry('a')], 50);
  const reader = readLedger(join(folder, 'ledger'));
  onTestFinished(async () => reader?.close());
  expect(reader?.mark()).toBe(50);
  expect(reader?.id).toBe(writer.id);
});

test('a ledger that cannot be opened names the folder to move away', () => {
  const folder = testFolder();
  mkdirSync(join(folder, 'ledger'));
  writeFileSync(join(folder, 'ledger', 'data.mdb'), 'not a database at all'.repeat(500));
  expect(() => openLedger(join(folder, 'ledger'))).toThrowError(
    expect.objectContaining({ code: 'ledger_unreadable' }),
  );
});
