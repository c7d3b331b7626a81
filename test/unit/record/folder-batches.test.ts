import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { BatchEnd } from '../../../src/domain/batch.ts';
import type { Outcome } from '../../../src/domain/receipt.ts';
import type { UploadJob } from '../../../src/domain/upload-job.ts';
import { encodeReceipt } from '../../../src/ledger/journal/receipt-codec.ts';
import { ledgerEntryOf } from '../../../src/ledger/ledger-entry.ts';
import { createMutex } from '../../../src/platform/waiting/mutex.ts';
import { type BatchBook, openBatchBook } from '../../../src/record/batches/batch-book.ts';
import { type FolderBatches, openFolderBatches } from '../../../src/record/batches/folder-batches.ts';
import { NOW_MS, receiptOf, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';
import { jobFor, uploadedOutcome } from '../../support/upload-job.ts';

interface Rig {
  readonly folders: FolderBatches;
  readonly batchBook: BatchBook;
  readonly ended: BatchEnd[];
  readonly pending: Set<string>;
  readonly log: ReturnType<typeof rememberingLog>;
  /** @returns the batches of these files */
  admit(...paths: string[]): (string | null)[];
  record(path: string, change?: Partial<Outcome>): Promise<void>;
  /** As a kill: nothing is told to anybody. */
  leave(): Promise<void>;
}

async function rig(folder = testFolder()): Promise<Rig> {
  const log = rememberingLog();
  const store = await storeIn(folder, log);
  const ended: BatchEnd[] = [];
  const pending = new Set<string>();
  let clockMs = NOW_MS;
  const shared = { source: 'inbox', ledger: store.ledger, now: () => clockMs++, log };
  const batchBook = openBatchBook({ ...shared, journal: store.journal, onEnded: (end) => ended.push(end) });
  await batchBook.begin();
  const folders = openFolderBatches({
    ...shared,
    batchBook,
    destination: 'dest',
    isPending: (jobId) => pending.has(jobId),
    exclusive: createMutex(),
    manifestOf: (batch) => join(folder, 'batches', `${batch}.manifest.json`),
  });
  const leave = async (): Promise<void> => {
    await batchBook.stop();
    await store.close().catch(() => undefined);
  };
  onTestFinished(leave);
  return {
    ...{ folders, batchBook, ended, pending, log, leave },
    admit(...paths) {
      const items = folders.assign<{ id: string; jobId: string; job: UploadJob }>(
        paths.map((path) => jobFor(path)),
      );
      for (const { jobId } of items) pending.add(jobId);
      return items.map(({ job }) => job.batch);
    },
    async record(path, change = {}) {
      const receipt = receiptOf({ ...uploadedOutcome(path), ...change });
      const [place] = await store.journal.append([encodeReceipt(receipt)]);
      if (place === undefined) throw new Error('not appended');
      store.ledger.commit([ledgerEntryOf(receipt, place)], store.journal.size());
      pending.delete(`${receipt.id}-${receipt.gen}`);
      folders.recorded();
    },
  };
}

const never = new AbortController().signal;

test('files of one folder share a batch, those of another have theirs, those of the root none', async () => {
  const { admit } = await rig();
  const [a1, a2, b1, root] = admit('a/1', 'a/x/2', 'b/1', 'root.txt');
  expect(a1).toMatch(/^b[0-9a-f]{32}$/);
  expect([a2, root]).toEqual([a1, null]);
  expect(b1).not.toBe(a1);
  expect(admit('a/3')).toEqual([a1]);
});

test('it ends when it is quiet and all of it is recorded, whichever comes last', async () => {
  const { admit, folders, record, ended } = await rig();
  admit('a/1', 'b/1');
  await record('a/1');
  folders.quiet({ path: 'b' });
  expect(ended).toEqual([]);
  folders.quiet({ path: 'a' });
  await record('b/1');
  await folders.settled(never);
  expect(ended.map(({ folder }) => folder).sort()).toEqual(['a', 'b']);
});

test('what stirs in a quiet folder keeps it open', async () => {
  const { admit, folders, record, ended } = await rig();
  admit('a/1');
  folders.quiet({ path: 'a' });
  folders.stirred({ path: 'a' });
  await record('a/1');
  expect([ended, folders.folders()]).toEqual([[], [{ path: 'a' }]]);
  folders.quiet({ path: 'a' });
  await folders.settled(never);
  expect(ended).toHaveLength(1);
});

test('after its end the folder begins another batch, also when nothing but the same instant has passed', async () => {
  const { admit, folders, record, ended } = await rig();
  const [first] = admit('a/1');
  await record('a/1');
  folders.quiet({ path: 'a' });
  const [second] = admit('a/2');
  expect(second).not.toBe(first);
  await record('a/2');
  folders.quiet({ path: 'a' });
  await folders.settled(never);
  expect(ended.map(({ batch, counts }) => [batch, counts.discovered])).toEqual([
    [first, 1],
    [second, 1],
  ]);
});

test('an open batch is known at the next start, and one that was told to end is not taken up again', async () => {
  const folder = testFolder();
  const before = await rig(folder);
  const [open] = before.admit('a/1');
  before.admit('b/1');
  await before.record('b/1');
  before.folders.quiet({ path: 'b' });
  // Killed before its manifest was written.
  await before.leave();
  expect(before.ended).toEqual([]);
  const after = await rig(folder);
  expect(after.folders.folders()).toEqual([{ path: 'a' }]);
  expect(after.admit('a/2')).toEqual([open]);
  await vi.waitFor(() => expect(after.ended.map(({ folder: name }) => name)).toEqual(['b']));
});

test('a file without job and without receipt is taken out when the folder is quiet', async () => {
  const { admit, folders, record, ended, pending, log } = await rig();
  admit('a/1', 'a/gone');
  await record('a/1');
  folders.quiet({ path: 'a' });
  await vi.waitFor(() => expect(pending.size).toBe(1));
  // Its job is there: it is waited for.
  expect(ended).toEqual([]);
  pending.clear();
  folders.quiet({ path: 'a' });
  await folders.settled(never);
  expect(ended.map(({ counts }) => counts.discovered)).toEqual([1]);
  expect(log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields.files)).toEqual([1]);
});

test('a version that goes once more within its batch is waited for again', async () => {
  const { folders, batchBook, record, ended } = await rig();
  const job = jobFor('a/1');
  folders.assign([job]);
  await record('a/1', { status: 'skipped' });
  folders.assign([{ ...job, job: { ...job.job, gen: 1 } }]);
  expect(batchBook.list()).toMatchObject([{ members: 1, done: 0 }]);
  await record('a/1', { gen: 1 });
  folders.quiet({ path: 'a' });
  await folders.settled(never);
  expect(ended.map(({ counts }) => counts)).toEqual([{ discovered: 1, uploaded: 1, failed: 0, skipped: 0 }]);
});

test('waiting for the ends is over when the signal fires', async () => {
  const { admit, folders } = await rig();
  admit('a/1');
  const stop = new AbortController();
  const waiting = folders.settled(stop.signal);
  stop.abort();
  await expect(waiting).rejects.toThrow('aborted');
});
