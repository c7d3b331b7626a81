import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { BatchEnd } from '../../../src/domain/batch.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { encodeReceipt } from '../../../src/ledger/journal/receipt-codec.ts';
import { ledgerEntryOf } from '../../../src/ledger/ledger-entry.ts';
import type { SourceStore } from '../../../src/ledger/store/source-store.ts';
import { compactSource } from '../../../src/ledger/upkeep/compact-journal.ts';
import { rebuildLedger } from '../../../src/ledger/upkeep/rebuild-ledger.ts';
import { type BatchBook, openBatchBook } from '../../../src/record/batches/batch-book.ts';
import { NOW_MS, receiptOf, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';
import { jobFor, uploadedOutcome } from '../../support/upload-job.ts';

interface Rig {
  readonly store: SourceStore;
  readonly batches: BatchBook;
  readonly ended: BatchEnd[];
  readonly manifest: string;
  open(batch?: string): 'open' | 'ended';
  record(...receipts: Receipt[]): Promise<void>;
}

async function rig(folder = testFolder(), begin = true): Promise<Rig> {
  const store = await storeIn(folder);
  const ended: BatchEnd[] = [];
  const batches = openBatchBook({
    ...{ source: 'inbox', ledger: store.ledger, journal: store.journal, log: rememberingLog() },
    onEnded: (end) => ended.push(end),
    now: () => NOW_MS,
  });
  onTestFinished(async () => {
    await batches.stop();
    await store.close().catch(() => undefined);
  });
  if (begin) await batches.begin();
  const manifest = join(folder, 'batches', 'b1.manifest.json');
  return {
    ...{ store, batches, ended, manifest },
    open: (batch = 'b1') =>
      batches.open({ batch, destination: 'dest', manifest, startedAt: '2026-11-22T01:02:03.000Z' }),
    async record(...receipts) {
      const places = await store.journal.append(receipts.map(encodeReceipt));
      const entries = receipts.map((receipt, index) =>
        ledgerEntryOf(receipt, places[index] ?? { offset: -1, length: 0 }),
      );
      store.ledger.commit(entries, store.journal.size());
    },
  };
}

const member = (path: string, gen = 0) => ({ id: jobFor(path).id, gen });
const receipt = (path: string, change: Partial<Receipt> = {}): Receipt => ({
  ...receiptOf(uploadedOutcome(path)),
  batch: 'b1',
  ...change,
});

test('a batch ends once all of it is found and recorded, with a manifest of exactly its receipts and the sum over it', async () => {
  const { batches, open, record, ended, manifest } = await rig();
  await record(receipt('old.txt', { batch: null }), receipt('foreign.txt', { batch: null }));
  expect(open()).toBe('open');
  expect(batches.add('b1', [member('old.txt'), member('a.txt'), member('b.txt')])).toBe(3);
  await record(receipt('a.txt'));
  batches.discovered('b1');
  expect(batches.list()).toMatchObject([{ batch: 'b1', discovered: true, members: 3, done: 2 }]);
  expect(ended).toEqual([]);
  await record(receipt('b.txt', { status: 'failed' }));
  const end = await batches.ended('b1');
  expect(end).toMatchObject({
    counts: { discovered: 3, uploaded: 2, failed: 1, skipped: 0 },
    destination: 'dest',
    manifest,
  });
  const bytes = readFileSync(manifest);
  expect(end.manifestSha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  const { files, ...head } = JSON.parse(bytes.toString('utf8')) as { files: Receipt[] };
  expect(head).toMatchObject({ v: 1, batch: 'b1', source: 'inbox', counts: end.counts });
  expect(files.map(({ path }) => path)).toEqual(['old.txt', 'a.txt', 'b.txt']);
  const lines = readFileSync(`${manifest}l`, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as Receipt)).toEqual(files);
  expect(batches.list()).toEqual([]);
  expect(open()).toBe('ended');
  expect(ended).toHaveLength(1);
});

test('files that are found again, and receipts of an earlier generation, change nothing', async () => {
  const { batches, open, record, ended } = await rig();
  await record(receipt('a.txt', { status: 'skipped' }));
  open();
  expect(batches.add('b1', [member('a.txt', 1), member('b.txt')])).toBe(2);
  expect(batches.add('b1', [member('a.txt', 1), member('b.txt')])).toBe(0);
  expect(batches.state('b1')).toMatchObject({ members: 2, done: 0 });
  batches.discovered('b1');
  await record(receipt('b.txt'));
  expect(batches.state('b1')).toMatchObject({ members: 2, done: 1 });
  await record(receipt('a.txt', { gen: 1 }));
  await batches.ended('b1');
  expect(ended).toMatchObject([{ counts: { discovered: 2, uploaded: 2, skipped: 0 } }]);
});

test('a later generation ends the wait for an earlier one', async () => {
  const { batches, open, record } = await rig();
  open();
  batches.add('b1', [member('a.txt')]);
  await record(receipt('a.txt', { gen: 4 }));
  expect(batches.state('b1')).toMatchObject({ members: 1, done: 1 });
});

test('one file may belong to two batches, and ends in both', async () => {
  const { batches, open, record, ended } = await rig();
  open('b1');
  open('b2');
  batches.add('b1', [member('a.txt'), member('b.txt')]);
  batches.add('b2', [member('a.txt')]);
  batches.discovered('b2');
  await record(receipt('a.txt'));
  await batches.ended('b2');
  expect(ended.map(({ batch }) => batch)).toEqual(['b2']);
  expect(batches.state('b1')).toMatchObject({ members: 2, done: 1 });
});

test('what was recorded while no owner ran is counted at the next start, and the batch ends there', async () => {
  const folder = testFolder();
  const first = await rig(folder);
  first.open();
  first.batches.add('b1', [member('a.txt')]);
  first.batches.discovered('b1');
  await first.batches.stop();
  await first.store.close();
  // As a command does that brings the ledger up: no keeper hears of it.
  const store = await storeIn(folder);
  const [place] = await store.journal.append([encodeReceipt(receipt('a.txt'))]);
  store.ledger.commit(
    [ledgerEntryOf(receipt('a.txt'), place ?? { offset: -1, length: 0 })],
    store.journal.size(),
  );
  await store.close();
  const next = await rig(folder);
  expect(await next.batches.ended('b1')).toMatchObject({ counts: { discovered: 1, uploaded: 1 } });
});

test('a transaction that fails leaves the count as it was, and the same receipts count when they are committed again', async () => {
  const { store, batches, open, record, ended } = await rig();
  open();
  batches.add('b1', [member('a.txt')]);
  batches.discovered('b1');
  const undone = receipt('a.txt');
  expect(() =>
    store.ledger.transact(() => {
      store.ledger.commit([ledgerEntryOf(undone, { offset: 0, length: 1 })], 0);
      throw new Error('no space');
    }),
  ).toThrow('no space');
  expect(batches.state('b1')).toMatchObject({ members: 1, done: 0 });
  expect(ended).toEqual([]);
  await record(undone);
  await batches.ended('b1');
  expect(ended).toHaveLength(1);
});

test('a batch without files ends at once, and so does one whose files are all recorded already', async () => {
  const { batches, open, ended } = await rig();
  open();
  batches.discovered('b1');
  await vi.waitFor(() => expect(ended).toMatchObject([{ counts: { discovered: 0 } }]));
});

test('an end keeps what was missed, as it was said last', async () => {
  const { batches, open, record } = await rig();
  open();
  batches.add('b1', [member('a.txt')]);
  batches.discovered('b1', { unusable: 1, unreadable: 2, unsettled: 3 });
  const missed = { unusable: 1, unreadable: 0, unsettled: 3 };
  batches.discovered('b1', missed);
  batches.discovered('b1');
  await record(receipt('a.txt'));
  expect(await batches.ended('b1')).toMatchObject({ missed });
  expect(batches.ends.find('b1')).toMatchObject({ missed });
  open('b2');
  batches.discovered('b2');
  await batches.ended('b2');
  expect(batches.ends.find('b2')).not.toHaveProperty('missed');
});

test('a batch whose manifest cannot be written stays open and keeps no other from ending', async () => {
  const { store, batches, open, ended } = await rig();
  batches.open({
    ...{ batch: 'b9', destination: 'dest', startedAt: '2026-11-22T01:02:03.000Z' },
    manifest: join(store.journal.path, 'not-a-folder', 'b9.manifest.json'),
  });
  batches.discovered('b9');
  open();
  batches.discovered('b1');
  await batches.ended('b1');
  expect(ended.map(({ batch }) => batch)).toEqual(['b1']);
  expect(batches.list()).toMatchObject([{ batch: 'b9', discovered: true }]);
});

test('a receipt that a compaction dropped for a later one of its path keeps no batch from ending', async () => {
  const folder = testFolder();
  const first = await rig(folder);
  first.open();
  const later = { ...receipt('a.txt'), id: jobFor('other version').id, queuedAt: '2026-11-22T02:00:00.000Z' };
  first.batches.add('b1', [member('a.txt'), { id: later.id, gen: 0 }, member('b.txt')]);
  await first.record(receipt('a.txt', { status: 'skipped' }), later);
  await first.batches.stop();
  await first.store.close();
  const place = { dataDir: join(folder, 'data'), source: 'inbox', log: rememberingLog() };
  await compactSource({ ...place, manifest: join(folder, 'inbox.manifest.json') });
  const next = await rig(folder);
  next.batches.discovered('b1');
  await next.record(receipt('b.txt'));
  expect(await next.batches.ended('b1')).toMatchObject({
    counts: { discovered: 2, uploaded: 2, skipped: 0 },
  });
});

test('a ledger that is built again keeps open batches and the ends of the others', async () => {
  const folder = testFolder();
  const first = await rig(folder);
  first.open('b1');
  first.open('b2');
  first.batches.add('b1', [member('a.txt'), member('b.txt')]);
  first.batches.add('b2', [member('a.txt')]);
  first.batches.discovered('b2');
  await first.record(receipt('a.txt'));
  const end = await first.batches.ended('b2');
  await first.batches.stop();
  await first.store.close();
  const { ledger, journal } = first.store;
  await rebuildLedger({ ledger: ledger.path, journal: journal.path, log: rememberingLog() });
  const next = await rig(folder);
  // Its place in the journal anew is behind all of it: rather too late than before its files.
  const mark = next.store.ledger.mark();
  expect(mark).toBe(next.store.journal.size());
  expect(next.batches.ends.after(0, 10)).toEqual([{ seq: 1, end, mark }]);
  expect(next.batches.list()).toMatchObject([{ batch: 'b1', members: 2, done: 1 }]);
  next.batches.discovered('b1');
  await next.record(receipt('b.txt'));
  expect(await next.batches.ended('b1')).toMatchObject({ counts: { discovered: 2, uploaded: 2 } });
});

test('2,500 members are listed from the ledger in journal order, whatever their order was', async () => {
  const { batches, open, record, manifest } = await rig();
  open();
  const paths = Array.from({ length: 2_500 }, (_, index) => `d${index % 50}/${index}.txt`);
  for (let start = 0; start < paths.length; start += 1_000)
    batches.add(
      'b1',
      paths.slice(start, start + 1_000).map((path) => member(path)),
    );
  for (let start = 0; start < paths.length; start += 1_000)
    await record(...paths.slice(start, start + 1_000).map((path) => receipt(path)));
  batches.discovered('b1');
  expect((await batches.ended('b1')).counts).toMatchObject({ discovered: 2_500, uploaded: 2_500 });
  const { files } = JSON.parse(readFileSync(manifest, 'utf8')) as { files: Receipt[] };
  expect(files.map(({ path }) => path)).toEqual(paths);
});
