/** Batches at their owner: everything found is recorded once, and the batch ends once, whatever is in the way. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { exitCodeOf } from '../../../src/cli/exit-codes.ts';
import { ingestOutcome } from '../../../src/cli/work/ingest-outcome.ts';
import { ALL, BATCH, foundBefore, handOver, partOf, startBatch } from '../../support/batch-part.ts';
import { definitionFrom } from '../../support/destination-definitions.ts';
import { expectHealthyRun } from '../../support/healthy-run.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { lineOf } from '../../support/record-rig.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { autoglm, GIVE_UP_MS, never } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { tarBytes } from '../../support/tar-bytes.ts';
import { zipBytes } from '../../support/zip-bytes.ts';

/** Three times the 1,000 members that are read at once when a batch ends, and looked through for those without a file. */
const LARGE = 3_100;

function spoolBytes(rig: RunRig): number {
  const folder = join(rig.dataDir, 'spool', 'inbox');
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).reduce(
    (sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

test('what was recorded before belongs to the batch with the receipt it has, and is not sent again', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(3);
  const watch = await rig.start();
  await watch.once(GIVE_UP_MS, never);
  await watch.stop(2_000);
  rig.file('new.txt');
  const run = await startBatch(rig, partOf(rig, ALL));
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const [progress] = run.batch(BATCH);
  expect(progress?.end?.counts).toEqual({ discovered: 4, uploaded: 4, failed: 0, skipped: 0 });
  expect(rig.receipts().map(({ batch }) => batch)).toEqual([null, null, null, BATCH]);
  for (const { seenMs } of rig.receipts()) expect(seenMs).toBeGreaterThanOrEqual(0);
  await expectHealthyRun({ rig, run, server: sandbox }, 4);
});

test('a batch larger than any page of its books: every member is sent, recorded and listed once, none is called gone', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: 24 });
  rig.files(LARGE);
  const run = await startBatch(rig, partOf(rig, ALL));
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const end = run.batch(BATCH)[0]?.end;
  expect(end?.counts).toEqual({ discovered: LARGE, uploaded: LARGE, failed: 0, skipped: 0 });
  const { files } = JSON.parse(readFileSync(end?.manifest ?? '', 'utf8')) as { files: { path: string }[] };
  expect(new Set(files.map(({ path }) => path)).size).toBe(LARGE);
  expect(files).toHaveLength(LARGE);
  await expectHealthyRun({ rig, run, server: sandbox }, LARGE);
});

test('a file that changes while it is sent ends as skipped, and its new version is in the same batch', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 250 } });
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: 1 });
  rig.files(8);
  const run = await startBatch(rig, partOf(rig, ALL));
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(0), 15_000);
  const sent = new Set(rig.receipts().map(({ path }) => path));
  const waiting = Array.from({ length: 8 }, (_, index) => `${index}.txt`).filter((name) => !sent.has(name));
  const last = waiting.at(-1) ?? '';
  rig.file(last, 'another content, another size');
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const counts = run.batch(BATCH)[0]?.end?.counts;
  const ofLast = rig.receipts().filter(({ path }) => path === last);
  // Whichever of its versions a worker met first.
  expect(ofLast.at(-1)).toMatchObject({ status: 'uploaded', bytes: 'another content, another size'.length });
  expect(ofLast.map(({ batch }) => batch)).toEqual(ofLast.map(() => BATCH));
  expect(counts).toMatchObject({ uploaded: 8, discovered: 7 + ofLast.length });
});

test('a file that is written to whenever it is sent is given up, counted, and makes it 5', async () => {
  // More than the sockets hold: it changes before its last byte is sent.
  const bytes = 32_000_000;
  let sent = 0;
  const server = await startHttpServer(async (visit) => {
    sent += 1;
    truncateSync(join(rig.root(), 'busy.bin'), bytes + sent);
    await visit.body();
    visit.json(200, { id: `file-${sent}` });
  });
  const answer = { id: '/id' };
  const definition = definitionFrom({ url: `${server.origin}/files`, fileField: 'file', answer });
  const rig = await runRig({ definition });
  rig.file('busy.bin', '');
  truncateSync(join(rig.root(), 'busy.bin'), bytes);
  const run = await startBatch(rig, partOf(rig, ALL));
  const ended = await run.once(GIVE_UP_MS, never);
  const outcome = ingestOutcome(BATCH, run.batch(BATCH), ended);
  expect(outcome).toMatchObject({ state: 'completed', counts: { uploaded: 0 }, unsettled: 1, exitCode: 5 });
  const codes = rig.receipts().map(({ error }) => error?.code);
  expect(codes).toEqual(Array.from({ length: sent }, () => 'changed'));
}, 60_000);

test('an archive goes through a spool smaller than itself, which is empty in the end', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 5 } });
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: 4 });
  const content = (index: number): string => `${index} `.repeat(500);
  const files = Array.from({ length: 60 }, (_, index) => ({ name: `${index}.txt`, content: content(index) }));
  const path = join(dirname(rig.root()), 'a.tar');
  writeFileSync(path, tarBytes([...files, { name: 'huge.bin', content: 'x'.repeat(9_000) }]));
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, spoolBytes(rig));
  }, 1);
  const run = await startBatch(rig, partOf(rig, { kind: 'archive', path }), { spoolMaxBytes: 8_000 });
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  clearInterval(timer);
  expect(run.batch(BATCH)[0]?.end?.counts).toEqual({ discovered: 61, uploaded: 60, failed: 0, skipped: 1 });
  const huge = rig.receipts().find(({ path: name }) => name === 'a.tar!/huge.bin');
  expect(huge?.seenMs).toBeGreaterThanOrEqual(0);
  expect(huge).toMatchObject({ status: 'skipped', error: { code: 'too_large' } });
  expect(huge?.error?.message).toContain('raise spool.maxBytes');
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(8_000);
  expect(spoolBytes(rig)).toBe(0);
});

test('a Redis that loses everything in the middle of an archive costs no entry and adds none', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 30 } });
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: 2 });
  const files = Array.from({ length: 80 }, (_, index) => ({
    name: `${index}.txt`,
    content: `content ${index}`,
  }));
  const path = join(dirname(rig.root()), 'a.zip');
  writeFileSync(path, zipBytes(files));
  const run = await startBatch(rig, partOf(rig, { kind: 'archive', path }));
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(10), 10_000);
  await rig.redis.connect().flushall();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(run.batch(BATCH)[0]?.end?.counts).toMatchObject({ discovered: 80, uploaded: 80 });
  const paths = rig.receipts().map(({ path: name }) => name);
  expect(paths).toHaveLength(80);
  expect(new Set(paths).size).toBe(80);
  expect(spoolBytes(rig)).toBe(0);
});

test('entries of one name in a zip: the last one is sent, as unpackers keep it', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const path = join(dirname(rig.root()), 'a.zip');
  const twice = { name: 'a.txt', content: 'same' };
  writeFileSync(path, zipBytes([twice, twice, { name: 'a.txt', content: 'another one' }]));
  const run = await startBatch(rig, partOf(rig, { kind: 'archive', path }));
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  for (const { seenMs } of rig.receipts()) expect(seenMs).toBeGreaterThanOrEqual(0);
  expect(rig.receipts().map(({ path: name, bytes }) => [name, bytes])).toEqual([['a.zip!/a.txt', 11]]);
  const end = run.batch(BATCH)[0]?.end;
  expect(end?.counts).toMatchObject({ discovered: 1, uploaded: 1 });
  expect(JSON.parse(readFileSync(end?.manifest ?? '', 'utf8')).files).toHaveLength(1);
});

test('a worker that does not find a file in the spool gives the job back; the owner unpacks it again at its next start', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: '503' }] });
  const rig = await runRig({ definition: autoglm(sandbox), retry: { baseDelay: 20, maxDelay: 50 } });
  const path = join(dirname(rig.root()), 'a.zip');
  writeFileSync(path, zipBytes([{ name: 'a.txt', content: 'a' }]));
  const part = partOf(rig, { kind: 'archive', path });
  const run = await startBatch(rig, part);
  const folder = join(rig.dataDir, 'spool', 'inbox');
  const jobId = await vi.waitFor(() => {
    const [name = '.tmp', ...others] = readdirSync(folder);
    expect([name.endsWith('.tmp'), others]).toEqual([false, []]);
    return name;
  }, 15_000);
  writeFileSync(join(folder, jobId), 'spoiled by a power cut');
  // An attempt that opened it before is refused like all others: only the next one looks at what lies there now.
  await vi.waitFor(
    () =>
      expect(rig.log.lines.map(({ message }) => message)).toContainEqual(
        expect.stringContaining('not in the spool'),
      ),
    15_000,
  );
  expect(rig.receipts()).toEqual([]);
  await run.stop(2_000);
  sandbox.clearFaults();
  const next = await startBatch(rig, part);
  expect(await next.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts()).toMatchObject([{ status: 'uploaded', path: 'a.zip!/a.txt', bytes: 1 }]);
});

test('a folder that is gone ends nothing: the batch stays open, and the error names the folder', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const part = partOf(rig, { kind: 'archive', path: join(rig.root(), 'gone.zip') });
  const run = await startBatch(rig, part);
  await expect(run.once(GIVE_UP_MS, never)).rejects.toMatchObject({ code: 'archive_unreadable' });
  expect(run.batch(BATCH)).toMatchObject([{ end: null, failure: expect.stringContaining('gone.zip') }]);
});

test('a file that went away between its place in the batch and its job keeps the batch from no end', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(2);
  const part = partOf(rig, ALL);
  // What a kill leaves between these two steps, the file being deleted before the batch goes on.
  await foundBefore(rig, part);
  const run = await startBatch(rig, part);
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(run.batch(BATCH)[0]?.end?.counts).toMatchObject({ discovered: 2, uploaded: 2 });
});

test('receipts that Slipway wrote beside files are no part of a batch, files of the user by such names are', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.file('a.txt');
  rig.file('a.txt.receipt.json', lineOf('a.txt'));
  rig.file('bill.receipt.json', '{"total":12}');
  const run = await startBatch(rig, partOf(rig, ALL));
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(
    rig
      .receipts()
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['a.txt', 'bill.receipt.json']);
});

test('a batch that has ended says what it said the first time, also of what was missed', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.file('a.txt');
  const list = join(dirname(rig.root()), 'list');
  writeFileSync(list, 'a.txt\ngone.txt\n');
  const part = partOf(rig, { kind: 'list', file: list, nul: false, base: rig.root() });
  const run = await startBatch(rig, part);
  await run.once(GIVE_UP_MS, never);
  const first = ingestOutcome(BATCH, run.batch(BATCH), ['drained']);
  expect(first).toMatchObject({ state: 'completed', unusable: 1, exitCode: 6 });
  await run.stop(2_000);
  rig.file('gone.txt');
  const next = await startBatch(rig, part);
  await next.once(GIVE_UP_MS, never);
  expect(ingestOutcome(BATCH, next.batch(BATCH), ['drained'])).toEqual(first);
  expect(sandbox.summary().count).toBe(1);
});

test('an owner refuses a batch for another destination than its own, and takes one for its own', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const run = await rig.start();
  const part = partOf(rig, ALL);
  const refused = handOver(rig, { ...part, destination: 'openai' });
  await expect(refused).rejects.toMatchObject({ code: 'owner_refused' });
  await expect(refused).rejects.toThrow(/it sends to test, not to openai: stop it first.*or ingest to test/);
  expect(run.batch(BATCH)).toEqual([]);
  rig.file('a.txt');
  const handed = await handOver(rig, part);
  expect(await handed.once(GIVE_UP_MS, never)).toEqual(['drained']);
  // What has ended is shown, whatever the owner sends to.
  const again = await handOver(rig, { ...part, destination: 'openai' });
  expect(await again.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(again.progress()).toMatchObject([{ end: { counts: { uploaded: 1 }, destination: 'test' } }]);
});
test('an empty mount point in the place of the folder ends no batch: it goes on once the disk is mounted', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: '503' }] });
  const rig = await runRig({ definition: autoglm(sandbox), retry: { baseDelay: 20, maxDelay: 50 } });
  rig.files(3);
  const part = partOf(rig, ALL);
  const first = await startBatch(rig, part);
  await vi.waitFor(() => expect(first.batch(BATCH)).toMatchObject([{ walked: true, members: 3 }]), 10_000);
  await first.stop(2_000);
  sandbox.clearFaults();

  // What is left of it after a restart, before the disk is mounted.
  renameSync(rig.root(), `${rig.root()}-away`);
  mkdirSync(rig.root());
  const early = await startBatch(rig, part);
  const error = await early.once(GIVE_UP_MS, never).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'source_unmounted' });
  expect(exitCodeOf(error)).toBe(5);
  expect(early.batch(BATCH)).toMatchObject([{ end: null, members: 3 }]);
  await early.stop(2_000);
  expect(rig.receipts()).toEqual([]);

  rmSync(rig.root(), { recursive: true });
  renameSync(`${rig.root()}-away`, rig.root());
  const late = await startBatch(rig, part);
  expect(await late.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(late.batch(BATCH)[0]?.end?.counts).toEqual({ discovered: 3, uploaded: 3, failed: 0, skipped: 0 });
});
