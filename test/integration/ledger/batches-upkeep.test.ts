/** Batches and metadata outlive a ledger that is built anew. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { BatchEnd } from '../../../src/domain/batch.ts';
import type { Outcome } from '../../../src/domain/receipt.ts';
import { linesFrom } from '../../../src/ledger/journal/journal-at.ts';
import { encodeReceipt } from '../../../src/ledger/journal/receipt-codec.ts';
import { ledgerEntryOf } from '../../../src/ledger/ledger-entry.ts';
import { openKeptMeta } from '../../../src/ledger/tables/kept-meta.ts';
import { compactSource } from '../../../src/ledger/upkeep/compact-journal.ts';
import { rebuildSource } from '../../../src/ledger/upkeep/rebuild-ledger.ts';
import { openBatchBook } from '../../../src/record/batches/batch-book.ts';
import { NOW_MS, receiptOf, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';
import { jobFor, uploadedOutcome } from '../../support/upload-job.ts';

async function opened(folder: string) {
  const store = await storeIn(folder);
  const ended: BatchEnd[] = [];
  const batches = openBatchBook({
    ...{ source: 'inbox', ledger: store.ledger, journal: store.journal, log: rememberingLog() },
    onEnded: (end) => ended.push(end),
    now: () => NOW_MS,
  });
  const meta = openKeptMeta(store.ledger);
  await batches.begin();
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await batches.stop();
    await store.close();
  };
  onTestFinished(close);
  return {
    ...{ store, batches, meta, ended, close },
    async record(path: string, change: Partial<Outcome> = {}) {
      const receipt = receiptOf({ ...uploadedOutcome(path), batch: 'b1', ...change });
      const [place] = await store.journal.append([encodeReceipt(receipt)]);
      if (place === undefined) throw new Error('not appended');
      store.ledger.commit([ledgerEntryOf(receipt, place)], store.journal.size());
    },
  };
}

test.each([
  ['compacted', compactSource],
  ['rebuilt', rebuildSource],
] as const)(
  'an open batch, ended ones and metadata are there after the ledger was %s',
  async (_what, upkeep) => {
    const folder = testFolder();
    const before = await opened(folder);
    const open = (batch: string): void => {
      const manifest = join(folder, 'batches', `${batch}.manifest.json`);
      before.batches.open({ batch, destination: 'dest', manifest, startedAt: '2026-11-22T01:02:03.000Z' });
    };
    open('b0');
    before.batches.discovered('b0');
    await before.batches.ended('b0');
    open('b1');
    const ids = ['done.txt', 'later.txt'].map((path) => ({ id: jobFor(path).id, gen: 0 }));
    // A version that was followed by another one of its path: compaction keeps the receipt of the latter.
    const older = { id: `f${'1'.repeat(32)}`, gen: 0 };
    before.batches.add('b1', [...ids, older]);
    await before.record('done.txt', { ...older, status: 'skipped' });
    await before.record('done.txt', { queuedAt: '2030-01-01T00:00:00.000Z' });
    before.meta.keep([{ id: jobFor('later.txt').id, meta: { order: '1' } }]);
    await before.close();

    await upkeep({
      dataDir: join(folder, 'data'),
      source: 'inbox',
      manifest: join(folder, 'inbox.manifest.json'),
      log: rememberingLog(),
    });

    const after = await opened(folder);
    expect(after.batches.ends.find('b0')?.batch).toBe('b0');
    expect(after.meta.finish(uploadedOutcome('later.txt')).meta).toEqual({ order: '1' });
    await after.record('later.txt');
    after.batches.discovered('b1');
    const end = await after.batches.ended('b1');
    const discovered = _what === 'compacted' ? 2 : 3;
    expect(end.counts).toEqual({ discovered, uploaded: 2, failed: 0, skipped: discovered - 2 });
    expect(after.batches.ends.last()).toBe(2);
  },
);

test('the end of a batch keeps its place behind its files when the journal is compacted', async () => {
  const folder = testFolder();
  const before = await opened(folder);
  // Followed by later receipts of their paths: compaction leaves these lines out, and all behind them moves up.
  for (let n = 0; n < 20; n += 1)
    await before.record(`old-${n}.txt`, { id: `f${String(n).padStart(32, '0')}`, batch: null });
  for (let n = 0; n < 20; n += 1) await before.record(`old-${n}.txt`, { batch: null });
  await before.record('member.txt');
  const markBefore = before.store.ledger.mark();
  const manifest = join(folder, 'batches', 'b1.manifest.json');
  before.batches.open({ batch: 'b1', destination: 'dest', manifest, startedAt: '2026-11-22T01:02:03.000Z' });
  before.batches.discovered('b1');
  await before.batches.ended('b1');
  await before.record('behind.txt', { batch: null });
  await before.close();

  await compactSource({
    dataDir: join(folder, 'data'),
    source: 'inbox',
    manifest: join(folder, 'inbox.manifest.json'),
    log: rememberingLog(),
  });

  const after = await opened(folder);
  const [end] = after.batches.ends.after(0, 10);
  const lines = await linesFrom(after.store.journal.path, { from: 0, to: after.store.ledger.mark() }, 1_000);
  const behind = lines.find(({ receipt }) => receipt.path === 'behind.txt');
  expect(end).toMatchObject({ seq: 1, mark: behind?.from });
  expect(end?.mark).toBeLessThan(markBefore);
});
