import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import type { ManifestJournal } from '../../../src/ledger/journal/manifest-journal.ts';
import { createLineWriter } from '../../../src/record/line-writer.ts';
import { NOW_MS, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

/** A writer over a real journal, whose disk is the test's. */
async function writerRig(
  disk: { syncs?: () => Promise<void>; begins?: () => void; writes?: () => void } = {},
) {
  const store = await storeIn(testFolder());
  const journal: Pick<ManifestJournal, 'write' | 'writeNow' | 'sync' | 'takeBack'> = {
    async write(lines) {
      disk.writes?.();
      return await store.journal.write(lines);
    },
    async sync() {
      disk.begins?.();
      const synced = store.journal.sync();
      await disk.syncs?.();
      await synced;
    },
    takeBack: store.journal.takeBack,
    writeNow: (lines) => (disk.writes === undefined ? store.journal.writeNow(lines) : null),
  };
  const lines = createLineWriter({
    ...{ ledger: store.ledger, journal, log: rememberingLog(), now: () => NOW_MS },
    finish: (outcome) => outcome,
  });
  const inFile = (): string[] =>
    readFileSync(store.journal.path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { path: string }).path);
  return { store, lines, inFile };
}

test('what is handed over is in the file before anything is synced, and durable with the next sync', async () => {
  const { store, lines, inFile } = await writerRig();
  lines.soon([uploadedOutcome('a')]);
  lines.soon([uploadedOutcome('b')]);
  await vi.waitFor(() => expect(inFile()).toEqual(['a', 'b']));
  expect(store.journal.size()).toBe(0);
  await lines.write([uploadedOutcome('a'), uploadedOutcome('b'), uploadedOutcome('c')]);
  const written = await lines.sync();
  expect(written.map(({ receipt }) => receipt.path)).toEqual(['a', 'b', 'c']);
  expect(inFile()).toEqual(['a', 'b', 'c']);
  expect(store.journal.size()).toBe(readFileSync(store.journal.path).length);
  // Written, durable, and not in the ledger yet: it is known all the same.
  await lines.write([uploadedOutcome('a')]);
  expect(inFile()).toEqual(['a', 'b', 'c']);
  await store.close();
});

test('what is written while a sync is under way is not waited for, and belongs to the next', async () => {
  const going = Promise.withResolvers<void>();
  const { store, lines, inFile } = await writerRig({ syncs: () => going.promise });
  await lines.write([uploadedOutcome('a')]);
  const synced = lines.sync();
  await lines.write([uploadedOutcome('b')]);
  expect(inFile()).toEqual(['a', 'b']);
  const durable = readFileSync(store.journal.path, 'utf8').indexOf('\n') + 1;
  going.resolve();
  expect((await synced).map(({ receipt }) => receipt.path)).toEqual(['a']);
  expect(store.journal.size()).toBe(durable);
  expect((await lines.sync()).map(({ receipt }) => receipt.path)).toEqual(['b']);
  await store.close();
});

test('after a sync that failed nothing that may be lost is in the file, and it is written again, once', async () => {
  let isFull = true;
  const { store, lines, inFile } = await writerRig({
    begins() {
      if (isFull) throw new SlipwayError('disk_full', { path: 'here' });
    },
  });
  await lines.write([uploadedOutcome('a')]);
  await expect(lines.sync()).rejects.toThrow(SlipwayError);
  expect(inFile()).toEqual([]);
  isFull = false;
  await lines.write([uploadedOutcome('a'), uploadedOutcome('b')]);
  expect((await lines.sync()).map(({ receipt }) => receipt.path)).toEqual(['a', 'b']);
  expect(inFile()).toEqual(['a', 'b']);
  await store.close();
});

test('a write that fails waits in memory for whoever records it', async () => {
  let isFull = true;
  const { store, lines, inFile } = await writerRig({
    writes() {
      if (isFull) throw new SlipwayError('disk_full', { path: 'here' });
    },
  });
  lines.soon([uploadedOutcome('a')]);
  await expect(lines.write([uploadedOutcome('a')])).rejects.toThrow(SlipwayError);
  isFull = false;
  await lines.write([uploadedOutcome('a')]);
  expect(inFile()).toEqual(['a']);
  await store.close();
});
