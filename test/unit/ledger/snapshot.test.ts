import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Outcome, Receipt } from '../../../src/domain/receipt.ts';
import { replayJournal } from '../../../src/ledger/journal/journal-replay.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { createSnapshot, type ManifestSnapshot } from '../../../src/record/manifest/manifest-snapshot.ts';
import type { SnapshotMode } from '../../../src/record/options.ts';
import { lineOf, NOW_MS, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';

interface Manifest {
  readonly v: number;
  readonly generatedAt: string;
  readonly counts: Record<string, number>;
  readonly files?: Receipt[];
  readonly truncated?: boolean;
  readonly journal?: string;
}

async function snapshotRig(
  mode: SnapshotMode = 'auto',
  ledgerView: (ledger: Ledger) => Ledger = (ledger) => ledger,
) {
  const folder = testFolder();
  const store = await storeIn(folder);
  onTestFinished(() => store.close());
  const path = join(folder, 'manifest', 'inbox.manifest.json');
  mkdirSync(join(folder, 'manifest'));
  const log = rememberingLog();
  const { journal } = store;
  // Every look at the clock finds 5 ms gone, so that a refresh takes 5 ms and the next may come 95 ms later.
  let elapsedMs = 0;
  const monotonicMs = (): number => {
    elapsedMs += 5;
    return elapsedMs;
  };
  const make = (): ManifestSnapshot =>
    createSnapshot({
      monotonicMs,
      path,
      mode,
      ledger: ledgerView(store.ledger),
      journal,
      now: () => NOW_MS,
      log,
    });
  return {
    path,
    log,
    store,
    make,
    snapshot: make(),
    async record(...files: (readonly [string, Partial<Outcome>?])[]) {
      await journal.append(files.map(([name, change]) => lineOf(name, change)));
      await replayJournal({ journal, ledger: store.ledger, log });
    },
    manifest: () => JSON.parse(readFileSync(path, 'utf8')) as Manifest,
  };
}

test('an empty source has a valid manifest with no files', async () => {
  const rig = await snapshotRig();
  expect(await rig.snapshot.refresh()).toBe('written');
  expect(rig.manifest()).toEqual({
    v: 1,
    generatedAt: '2026-11-22T01:02:06.000Z',
    counts: { uploaded: 0, failed: 0, skipped: 0 },
    files: [],
  });
  expect(statSync(rig.path).mode & 0o777).toBe(0o600);
});

test('the manifest holds the latest receipt of every path, oldest first', async () => {
  const rig = await snapshotRig();
  await rig.record(['a', { status: 'failed' }], ['b'], ['日本\n"c"']);
  await rig.record(['a', { gen: 1 }], ['d', { status: 'skipped' }]);
  await rig.snapshot.refresh();
  const { counts, files } = rig.manifest();
  expect(counts).toEqual({ uploaded: 3, failed: 0, skipped: 1 });
  expect(files?.map(({ path, gen, status }) => [path, gen, status])).toEqual([
    ['b', 0, 'uploaded'],
    ['日本\n"c"', 0, 'uploaded'],
    ['a', 1, 'uploaded'],
    ['d', 0, 'skipped'],
  ]);
  expect(files?.[0]).toEqual(JSON.parse(lineOf('b')));
});

test('thousands of files are all listed, each once', async () => {
  const rig = await snapshotRig();
  const names = Array.from({ length: 5_000 }, (_, index) => `${index % 7}/${index}`);
  await rig.record(...names.map((name) => [name] as const));
  await rig.snapshot.refresh();
  const { counts, files } = rig.manifest();
  expect(counts.uploaded).toBe(5_000);
  expect(files?.map((file) => file.path)).toEqual(names);
});

/** A ledger that says it holds more files than are worth listing. */
function crowded(ledger: Ledger): Ledger {
  const latest = { uploaded: 100_001, failed: 0, skipped: 0 };
  return { ...ledger, counts: () => ({ latest, total: latest }) };
}

test('auto leaves the files out above 100,000 and points at the journal', async () => {
  const rig = await snapshotRig('auto', crowded);
  await rig.record(['a']);
  await rig.snapshot.refresh();
  expect(rig.manifest()).toEqual({
    v: 1,
    generatedAt: '2026-11-22T01:02:06.000Z',
    counts: { uploaded: 100_001, failed: 0, skipped: 0 },
    truncated: true,
    journal: rig.store.journal.path,
  });
});

test('always lists them all the same', async () => {
  const rig = await snapshotRig('always', crowded);
  await rig.record(['a']);
  await rig.snapshot.refresh();
  expect(rig.manifest().files?.map((file) => file.path)).toEqual(['a']);
});

test('never writes no manifest', async () => {
  const rig = await snapshotRig('never');
  await rig.record(['a']);
  expect(await rig.snapshot.refresh()).toBe('off');
  expect(await rig.snapshot.finish(60_000)).toBe('off');
  expect(existsSync(rig.path)).toBe(false);
});

test('a manifest that is up to date is left alone', async () => {
  const rig = await snapshotRig();
  await rig.record(['a']);
  expect(await rig.snapshot.refresh()).toBe('written');
  const { ino } = statSync(rig.path);
  expect(await rig.snapshot.refresh()).toBe('unchanged');
  expect(await rig.snapshot.finish(60_000)).toBe('unchanged');
  expect(statSync(rig.path).ino).toBe(ino);
});

test('a refresh that would take too much of the time is made later by itself', async () => {
  const rig = await snapshotRig();
  await rig.record(['a']);
  await rig.snapshot.refresh();
  await rig.record(['b']);
  expect(await rig.snapshot.refresh()).toBe('deferred');
  await vi.waitFor(() => expect(rig.manifest().counts.uploaded).toBe(2), 5_000);
});

test('at stop what was deferred is written, if it fits', async () => {
  const rig = await snapshotRig();
  await rig.record(['a']);
  await rig.snapshot.refresh();
  await rig.record(['b']);
  expect(await rig.snapshot.refresh()).toBe('deferred');
  expect(await rig.snapshot.finish(0)).toBe('deferred');
  expect(rig.manifest().counts.uploaded).toBe(1);
  expect(await rig.make().finish(60_000)).toBe('written');
  expect(rig.manifest().counts.uploaded).toBe(2);
});

test('a manifest that cannot be written is said, and recording does not suffer', async () => {
  const rig = await snapshotRig();
  await rig.record(['a']);
  rmdirSync(join(rig.path, '..'));
  expect(await rig.snapshot.refresh()).toBe('failed');
  expect(rig.log.lines).toContainEqual(
    expect.objectContaining({ level: 'warn', message: 'manifest not refreshed' }),
  );
  mkdirSync(join(rig.path, '..'));
  expect(await rig.snapshot.finish(60_000)).toBe('written');
});

test('the counts agree with the files while recording goes on', async () => {
  const rig = await snapshotRig();
  await rig.record(...Array.from({ length: 4_500 }, (_, index) => [`${index}`] as const));
  const refreshing = rig.snapshot.refresh();
  await rig.record(...Array.from({ length: 500 }, (_, index) => [`late ${index}`] as const));
  await refreshing;
  const { counts, files } = rig.manifest();
  expect(files?.length).toBe(counts.uploaded);
  expect(new Set(files?.map((file) => file.path)).size).toBe(files?.length);
});
