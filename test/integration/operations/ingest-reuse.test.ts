/** A batch sends nothing for which an upload stands already, and waits for files that are too young. */
import { existsSync, readdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { ALL, BATCH, handOver, partOf, startBatch } from '../../support/batch-part.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { autoglm, drain, GIVE_UP_MS, never, receiptOf, reportOf } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { tarBytes } from '../../support/tar-bytes.ts';
import { zipBytes } from '../../support/zip-bytes.ts';

function spooled(rig: RunRig): string[] {
  const folder = join(rig.dataDir, 'spool', 'inbox');
  return existsSync(folder) ? readdirSync(folder) : [];
}

test('a renamed file belongs to the batch under its new path, with the upload it had', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.file('a.txt');
  rig.file('old/b.txt');
  await drain(rig);
  renameSync(join(rig.root(), 'a.txt'), join(rig.root(), 'renamed.txt'));
  renameSync(join(rig.root(), 'old'), join(rig.root(), 'new'));
  rig.file('c.txt');
  const run = await startBatch(rig, partOf(rig, ALL));
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(run.batch(BATCH)[0]?.end?.counts).toEqual({ discovered: 3, uploaded: 3, failed: 0, skipped: 0 });
  for (const [path, before] of [
    ['renamed.txt', 'a.txt'],
    ['new/b.txt', 'old/b.txt'],
  ] as const) {
    const { id, url } = receiptOf(rig, before);
    expect(receiptOf(rig, path)).toMatchObject({ batch: BATCH, attempts: 0, url, reusedFrom: id });
  }
  expect(receiptOf(rig, 'c.txt').reusedFrom).toBeUndefined();
  expect(sandbox.summary()).toMatchObject({ count: 3, repeated: 0 });
});

test('with dedupe: content equal files and entries of archives go once, whatever holds them', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 50 } });
  const rig = await runRig({ definition: autoglm(sandbox), source: { dedupe: 'content' } });
  rig.file('known.txt', 'known');
  await drain(rig);
  for (let index = 0; index < 20; index += 1) rig.file(`${index}.txt`, 'many times');
  rig.file('other.txt', 'known');
  const entries = [
    ...Array.from({ length: 20 }, (_, index) => ({ name: `${index}.txt`, content: 'many times' })),
    { name: 'known.txt', content: 'known' },
    { name: 'own.txt', content: 'of its own' },
    { name: 'own too.txt', content: 'of its own' },
  ];
  const [zip, tar] = ['a.zip', 'b.tar'].map((name) => join(dirname(rig.root()), name)) as [string, string];
  writeFileSync(zip, zipBytes(entries));
  writeFileSync(tar, tarBytes(entries));
  const archives = [zip, tar].map((path) => ({ kind: 'archive', path }) as const);
  const run = await startBatch(rig, partOf(rig, ALL, ...archives));
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const counts = run.batch(BATCH)[0]?.end?.counts;
  expect(counts).toEqual({ discovered: 22 + 2 * 23, uploaded: 22 + 2 * 23, failed: 0, skipped: 0 });
  expect(sandbox.summary()).toMatchObject({ count: 3, repeated: 0 });
  const ofBatch = rig.receipts().filter(({ batch }) => batch === BATCH);
  expect(ofBatch).toHaveLength(21 + 2 * 23);
  expect(ofBatch.filter(({ reusedFrom }) => reusedFrom === undefined)).toHaveLength(2);
  const ofKnown = ofBatch.filter(({ path }) => /known|other/.test(path));
  expect(ofKnown.map(({ reusedFrom }) => reusedFrom)).toEqual(
    Array.from({ length: 3 }, () => receiptOf(rig, 'known.txt').id),
  );
  expect(spooled(rig)).toEqual([]);
});

test('with dedupe: content an archive of equal files goes through a spool smaller than itself', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 20 } });
  const rig = await runRig({ definition: autoglm(sandbox), source: { dedupe: 'content' }, atOnce: 2 });
  const content = (index: number): string => `${index % 10} `.repeat(500);
  const entries = Array.from({ length: 60 }, (_, index) => ({
    name: `${index}.txt`,
    content: content(index),
  }));
  const path = join(dirname(rig.root()), 'a.tar');
  writeFileSync(path, tarBytes(entries));
  const run = await startBatch(rig, partOf(rig, { kind: 'archive', path }), { spoolMaxBytes: 4_000 });
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(run.batch(BATCH)[0]?.end?.counts).toMatchObject({ discovered: 60, uploaded: 60 });
  expect(sandbox.summary().count).toBe(10);
  expect(spooled(rig)).toEqual([]);
});

test('when the first of equal entries fails, the next is sent; each ends once', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', operation: 'upload', action: 'code', code: 400001, times: 1, after: 1 }],
  });
  const rig = await runRig({ definition: autoglm(sandbox), source: { dedupe: 'content' }, atOnce: 1 });
  rig.file('a', 'of its own');
  await drain(rig);
  const path = join(dirname(rig.root()), 'a.zip');
  writeFileSync(path, zipBytes(['b', 'c', 'd'].map((name) => ({ name, content: 'equal' }))));
  const run = await startBatch(rig, partOf(rig, { kind: 'archive', path }));
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const equal = rig.receipts().filter(({ batch }) => batch === BATCH);
  expect(equal.map(({ status, attempts }) => `${status} ${attempts}`).sort()).toEqual([
    'failed 1',
    'uploaded 0',
    'uploaded 1',
  ]);
  expect(spooled(rig)).toEqual([]);
});

test('a file that changes while it waits for its equal is taken as what it is then, and is no member twice', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: '503' }] });
  const rig = await runRig({
    ...{ definition: autoglm(sandbox), source: { dedupe: 'content' }, atOnce: 1 },
    retry: { baseDelay: 20, maxDelay: 50 },
  });
  for (const name of ['a', 'b', 'c']) rig.file(name, 'equal');
  const run = await startBatch(rig, partOf(rig, ALL));
  await vi.waitFor(() => expect(run.batch(BATCH)).toMatchObject([{ walked: true, members: 3 }]), 10_000);
  // The first of them waits for its token, the others for it.
  const { sources } = await run.report();
  expect(sources).toMatchObject([{ discovered: 3, pending: 3 }]);
  await vi.waitFor(async () => {
    const [source] = (await run.report()).sources;
    expect((source?.waiting ?? 0) + (source?.active ?? 0) + (source?.delayed ?? 0)).toBe(1);
  }, 10_000);
  for (const name of ['a', 'b', 'c']) rig.file(name, `another content of ${name}`);
  sandbox.clearFaults();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const receipts = rig.receipts();
  const uploaded = receipts.filter(({ status }) => status === 'uploaded');
  expect(uploaded.map(({ path, bytes }) => `${path} ${bytes}`).sort()).toEqual(['a 20', 'b 20', 'c 20']);
  const counts = run.batch(BATCH)[0]?.end?.counts;
  expect(counts).toMatchObject({ uploaded: 3, discovered: receipts.length });
}, 30_000);

test('what a watcher and a batch find at the same time goes once for all equal files of both', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: '503' }] });
  const rig = await runRig({
    ...{ definition: autoglm(sandbox), source: { dedupe: 'content' } },
    retry: { baseDelay: 20, maxDelay: 50 },
  });
  const run = await rig.start({ spoolMaxBytes: 1_000_000 });
  for (let index = 0; index < 30; index += 1) rig.file(`${index}.txt`, 'equal');
  // The watcher has sent one of them and holds the others.
  const held = { pending: 30, unsettled: 0 };
  await vi.waitFor(async () => expect(await reportOf(run)).toMatchObject(held), 10_000);
  const path = join(dirname(rig.root()), 'a.zip');
  writeFileSync(path, zipBytes([{ name: 'x', content: 'equal' }]));
  const handed = await handOver(rig, partOf(rig, ALL, { kind: 'archive', path }));
  await vi.waitFor(() => expect(run.batch(BATCH)).toMatchObject([{ walked: true, members: 31 }]), 10_000);
  sandbox.clearFaults();
  expect(await handed.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(handed.progress()).toMatchObject([{ end: { counts: { discovered: 31, uploaded: 31 } } }]);
  expect(sandbox.summary().count).toBe(1);
  const paths = rig.receipts().map(({ path: name }) => name);
  expect([paths.length, new Set(paths).size]).toEqual([31, 31]);
}, 40_000);

test('minAge: a batch waits for young files and takes none before', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), source: { minAge: 3_000 } });
  rig.files(2);
  // Of a time to come nobody knows the age: it is young from its first look on, however late that is.
  for (const name of ['0.txt', '1.txt']) utimesSync(join(rig.root(), name), 7e9, 7e9);
  const beganMs = Date.now();
  const run = await startBatch(rig, partOf(rig, ALL));
  await vi.waitFor(async () => {
    const { sources } = await run.report();
    expect(sources).toMatchObject([{ discovered: 2, pending: 2, unsettled: 2, uploaded: 0 }]);
  }, 10_000);
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(run.batch(BATCH)[0]).toMatchObject({ end: { counts: { uploaded: 2 } }, tally: { unsettled: 0 } });
  for (const { queuedAt } of rig.receipts())
    expect(Date.parse(queuedAt) - beganMs).toBeGreaterThanOrEqual(2_999);
  expect(rig.log.lines.map(({ message }) => message)).toContainEqual(
    expect.stringContaining('younger than minAge'),
  );
});
