import { join } from 'node:path';
import { open } from 'lmdb';
import { expect, onTestFinished, test } from 'vitest';
import type { Outcome } from '../../../src/domain/receipt.ts';
import { type Ledger, openLedger, readLedger } from '../../../src/ledger/ledger.ts';
import { ledgerEntryOf } from '../../../src/ledger/ledger-entry.ts';
import type { DeadLetter } from '../../../src/ledger/tables/dead-letter-table.ts';
import { receiptOf, testFolder } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

let offset = 0;

function commit(ledger: Ledger, path: string, change: Partial<Outcome> = {}): void {
  offset += 101;
  const outcome = { ...uploadedOutcome(path, change.destination ?? 'dest'), ...change };
  ledger.commit([ledgerEntryOf(receiptOf(outcome), { offset, length: 100 })], offset + 101);
}

const FAILED = {
  status: 'failed',
  error: {
    code: 'rejected',
    kind: 'rejected',
    message: 'no',
    httpStatus: 400,
    at: '2026-11-22T01:02:05.000Z',
  },
} as const;

function newLedger(folder = testFolder()): Ledger {
  const ledger = openLedger(join(folder, 'ledger'));
  onTestFinished(() => ledger.close());
  return ledger;
}

function letters(ledger: Ledger, limit = 2): DeadLetter[] {
  const found: DeadLetter[] = [];
  let after: Buffer | null = null;
  do {
    const page = ledger.deadLetters.page(after, limit);
    found.push(...page.letters);
    after = page.next;
  } while (after !== null);
  return found;
}

test('a path is a dead letter while its latest receipt is a failure, and only then', () => {
  const ledger = newLedger();
  for (const path of ['a', 'b', 'c', 'd']) commit(ledger, path, FAILED);
  commit(ledger, 'fine');
  commit(ledger, 'skipped', { status: 'skipped' });
  expect(ledger.deadLetters.count()).toBe(4);
  // Sent again with success; edited, with success; an older version that ends late says nothing.
  commit(ledger, 'a', { gen: 1 });
  commit(ledger, 'b', { destination: 'other', queuedAt: '2026-11-23T00:00:00.000Z' });
  commit(ledger, 'c', { destination: 'other', queuedAt: '2026-11-21T00:00:00.000Z' });
  commit(ledger, 'd', { ...FAILED, gen: 1 });
  expect(ledger.deadLetters.count()).toBe(2);
  const found = letters(ledger);
  expect(found.map(({ version }) => version.gen).sort()).toEqual([0, 1]);
  expect(found.every(({ recorded }) => recorded.code === 'rejected')).toBe(true);
});

test('what is given up is no dead letter any more, until it fails anew', async () => {
  const folder = testFolder();
  const first = openLedger(join(folder, 'ledger'));
  for (const path of ['a', 'b', 'c']) commit(first, path, FAILED);
  const [one, two] = letters(first);
  if (one === undefined || two === undefined) throw new Error('no letters');
  const stale = { ...two, version: { ...two.version, gen: 7 } };
  expect(first.deadLetters.discard([one, stale])).toBe(1);
  expect(first.deadLetters.discard([one])).toBe(0);
  expect(first.deadLetters.count()).toBe(2);
  expect(first.counts().latest.failed).toBe(3);
  await first.close();
  const ledger = newLedger(folder);
  expect(letters(ledger)).toHaveLength(2);
  expect(ledger.deadLetters.discarded(null, 9).map(({ version }) => version)).toEqual([one.version]);
  for (const path of ['a', 'b', 'c']) commit(ledger, path, { ...FAILED, gen: 1 });
  expect(letters(ledger)).toHaveLength(3);
  expect(ledger.deadLetters.discarded(null, 9)).toEqual([]);
});

test('a ledger of an older Slipway is searched as it is, and learns its dead letters page by page', async () => {
  const folder = testFolder();
  const path = join(folder, 'ledger');
  const old = openLedger(path);
  for (let index = 0; index < 10; index += 1) commit(old, `p${index}`, index % 2 === 0 ? FAILED : {});
  await old.close();
  const bare = open({ path, noSubdir: false, maxDbs: 32 });
  await bare.openDB({ name: 'failed', encoding: 'binary', keyEncoding: 'binary' }).clearAsync();
  await bare.openDB({ name: 'meta', encoding: 'json', keyEncoding: 'ordered-binary' }).remove('failedIndex');
  await bare.close();

  const reader = readLedger(path);
  if (reader === null) throw new Error('no ledger');
  expect([reader.deadLetters.count(), letters(reader).length]).toEqual([5, 5]);
  await reader.close();

  const ledger = newLedger(folder);
  let steps = 0;
  while (ledger.deadLetters.catchUp(3)) {
    steps += 1;
    // Recording goes on meanwhile.
    if (steps === 2) for (const path of ['p0', 'p2', 'p4']) commit(ledger, path, { gen: 1 });
  }
  expect(steps).toBe(3);
  expect([ledger.deadLetters.count(), letters(ledger).length]).toEqual([2, 2]);
  expect(ledger.deadLetters.catchUp(3)).toBe(false);
});
