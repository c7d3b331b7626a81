import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { commitInParts } from '../../../src/ledger/commit-in-parts.ts';
import { createCommitPace } from '../../../src/ledger/commit-pace.ts';
import { openLedger } from '../../../src/ledger/ledger.ts';
import { type LedgerEntry, ledgerEntryOf } from '../../../src/ledger/ledger-entry.ts';
import { receiptOf, testFolder } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

const LINE = 100;

/** Entries whose lines follow one another, each with its newline. */
function entries(count: number): LedgerEntry[] {
  return Array.from({ length: count }, (_, index) =>
    ledgerEntryOf(receiptOf(uploadedOutcome(`p${index}`)), { offset: index * (LINE + 1), length: LINE }),
  );
}

const inTens = { size: () => 10, took: () => undefined };

test('a batch becomes several transactions, and the event loop turns between two of them', async () => {
  const ledger = openLedger(join(testFolder(), 'ledger'));
  onTestFinished(() => ledger.close());
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns += 1;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const marks: number[] = [];
  const watched = {
    commit(part: readonly LedgerEntry[], mark: number) {
      marks.push(mark);
      return ledger.commit(part, mark);
    },
  };
  expect(await commitInParts(watched, entries(25), 25 * (LINE + 1), inTens)).toBe(25);
  counting = false;
  expect(marks).toEqual([10 * (LINE + 1), 20 * (LINE + 1), 25 * (LINE + 1)]);
  expect(turns).toBeGreaterThanOrEqual(2);
  expect(ledger.counts().total.uploaded).toBe(25);
});

test('an error in the middle leaves the mark behind the last whole part: the rest can be replayed', async () => {
  const ledger = openLedger(join(testFolder(), 'ledger'));
  onTestFinished(() => ledger.close());
  let parts = 0;
  const failing = {
    commit(part: readonly LedgerEntry[], mark: number) {
      parts += 1;
      if (parts === 2) throw new SlipwayError('disk_full', { path: '/data' });
      return ledger.commit(part, mark);
    },
  };
  const all = entries(25);
  await expect(commitInParts(failing, all, 25 * (LINE + 1), inTens)).rejects.toMatchObject({
    code: 'disk_full',
  });
  expect(ledger.mark()).toBe(10 * (LINE + 1));
  // Everything offered once more: what is in is passed over.
  expect(await commitInParts(ledger, all, 25 * (LINE + 1), inTens)).toBe(15);
  expect([ledger.mark(), ledger.counts().total.uploaded]).toEqual([25 * (LINE + 1), 25]);
});

test('no entries still move the mark', async () => {
  const ledger = openLedger(join(testFolder(), 'ledger'));
  onTestFinished(() => ledger.close());
  expect(await commitInParts(ledger, [], 7)).toBe(0);
  expect(ledger.mark()).toBe(7);
});

test('the pace falls at once when a transaction takes long, and comes back in steps within its bounds', () => {
  const pace = createCommitPace();
  const first = pace.size();
  pace.took(first, 300);
  const slow = pace.size();
  expect(slow).toBeLessThanOrEqual(first / 2);
  // Never all the way down for a single one.
  expect(slow).toBeGreaterThanOrEqual(Math.floor(first / 2));
  for (let step = 0; step < 9; step += 1) pace.took(pace.size(), 10_000);
  const least = pace.size();
  expect(least).toBeGreaterThan(0);
  // A small part that was quick says nothing about large ones.
  pace.took(1, 0.1);
  expect(pace.size()).toBe(least);
  for (let step = 0; step < 40; step += 1) pace.took(pace.size(), 1);
  const most = pace.size();
  pace.took(most, 1);
  expect(pace.size()).toBe(most);
  expect(most).toBeLessThanOrEqual(1_000);
});
