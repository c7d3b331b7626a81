/** Uploads that stand for other files: renamed ones, and ones with equal contents. */
import { copyFileSync, linkSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { compactSource } from '../../../src/ledger/upkeep/compact-journal.ts';
import { definitionFrom } from '../../support/destination-definitions.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { askAgain, runRig } from '../../support/run-rig.ts';
import { autoglm, drain, ends, GIVE_UP_MS, never, receiptOf, reportOf } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

test('a renamed file, and a moved folder, are recorded under their new paths and nothing is sent', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.file('a.txt');
  rig.file('old/b.txt');
  rig.file('old/deep/c.txt');
  const run = await rig.start();
  await run.once(GIVE_UP_MS, never);
  renameSync(join(rig.root(), 'a.txt'), join(rig.root(), 'renamed 文.txt'));
  renameSync(join(rig.root(), 'old'), join(rig.root(), 'new'));
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(6), 10_000);
  const before = receiptOf(rig, 'a.txt');
  const { queuedAt, recordedAt, seenMs, settledMs, ...after } = receiptOf(rig, 'renamed 文.txt');
  const { id, url, fileId, ref, sha256, contentType, expiresAt, remote, bytes, mtime, mtimeNs } = before;
  expect(after).toEqual({
    ...{ v: 1, id: after.id, source: 'inbox', path: 'renamed 文.txt', gen: 0, status: 'uploaded' },
    ...{ destination: 'test', url, fileId, ref, bytes, sha256, contentType, mtime, mtimeNs, expiresAt },
    ...{ attempts: 0, uploadedAt: queuedAt, durationMs: null, batch: null, remote, error: null },
    reusedFrom: id,
    sum: expect.stringMatching(/^[0-9a-f]{8}$/),
  });
  expect(seenMs).toBeGreaterThanOrEqual(settledMs ?? 0);
  expect(after.id).not.toBe(id);
  expect(receiptOf(rig, 'new/deep/c.txt').reusedFrom).toBe(receiptOf(rig, 'old/deep/c.txt').id);
  expect(sandbox.summary()).toMatchObject({ count: 3, repeated: 0 });
});

test('while nobody watched, after a compaction, and once more: the first upload stands for every later name', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const at = (name: string): string => join(rig.root(), name);
  rig.file('a.txt');
  await drain(rig);
  renameSync(at('a.txt'), at('b.txt'));
  await drain(rig);
  renameSync(at('b.txt'), at('c.txt'));
  const { manifest } = rig.plan();
  await compactSource({ dataDir: rig.dataDir, source: 'inbox', manifest, log: rig.log });
  await drain(rig);
  // Back under a name it has had: that version is recorded.
  renameSync(at('c.txt'), at('b.txt'));
  await drain(rig);
  expect(rig.receipts().map(({ path, reusedFrom }) => [path, reusedFrom])).toEqual([
    ['a.txt', undefined],
    ['b.txt', receiptOf(rig, 'a.txt').id],
    ['c.txt', receiptOf(rig, 'a.txt').id],
  ]);
  expect(sandbox.summary().count).toBe(1);
});

test('what only looks like a rename is sent: a link, a copy, an edit, a new file, a touch', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const at = (name: string): string => join(rig.root(), name);
  for (const name of ['linked', 'copied', 'edited', 'replaced', 'touched']) rig.file(name, 'the same size');
  await drain(rig);
  linkSync(at('linked'), at('link'));
  copyFileSync(at('copied'), at('copy'));
  renameSync(at('edited'), at('edit'));
  writeFileSync(at('edit'), 'same size too');
  // Gone, and a new file that may get its inode, with its size and its time to the nanosecond.
  const { mtimeMs } = statSync(at('replaced'));
  utimesSync(at('replaced'), mtimeMs / 1_000, Math.floor(mtimeMs / 1_000));
  renameSync(at('touched'), at('touch'));
  utimesSync(at('touch'), 1_000, 1_000);
  await drain(rig);
  rmSync(at('replaced'));
  rig.file('replacement', 'another one..');
  utimesSync(at('replacement'), mtimeMs / 1_000, Math.floor(mtimeMs / 1_000));
  await drain(rig);
  expect(rig.receipts().filter(({ reusedFrom }) => reusedFrom !== undefined)).toEqual([]);
  expect(sandbox.summary().count).toBe(rig.receipts().length);
  expect(rig.receipts()).toHaveLength(5 + 5 + 1);
});

test('an upload that has expired stands for nothing, one that will expire does until then', async () => {
  let expiresAt = 0;
  const server = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(200, { id: `file-${visit.attempt}`, expires_at: expiresAt });
  });
  const answer = { id: '/id', expiresAt: '/expires_at' };
  const definition = definitionFrom({ url: `${server.origin}/files`, fileField: 'file', answer });
  const rig = await runRig({ definition });
  const rename = (from: string, to: string): void => renameSync(join(rig.root(), from), join(rig.root(), to));
  expiresAt = Math.floor(Date.now() / 1_000) - 1;
  rig.file('a');
  await drain(rig);
  rename('a', 'b');
  expiresAt = Math.floor(Date.now() / 1_000) + 3_600;
  await drain(rig);
  rename('b', 'c');
  await drain(rig);
  expect(rig.receipts().map(({ path, fileId, attempts }) => [path, fileId, attempts])).toEqual([
    ['a', 'file-1', 1],
    ['b', 'file-2', 1],
    ['c', 'file-2', 0],
  ]);
});

test('a file that was renamed while its job waited is sent under its new name alone', async () => {
  const held = Promise.withResolvers<void>();
  const server = await startHttpServer(async (visit) => {
    await visit.body();
    await held.promise;
    visit.json(200, { id: `file-${visit.attempt}` });
  });
  const definition = definitionFrom({
    ...{ url: `${server.origin}/files`, fileField: 'file', answer: { id: '/id' } },
  });
  const rig = await runRig({ definition, atOnce: 1 });
  rig.file('a.txt');
  const run = await rig.start();
  await vi.waitFor(() => expect(server.visits()).toBe(1), 10_000);
  rig.file('z.txt');
  await vi.waitFor(async () => {
    const { waiting, active } = await reportOf(run);
    expect(waiting + active).toBe(2);
  }, 10_000);
  renameSync(join(rig.root(), 'z.txt'), join(rig.root(), 'y.txt'));
  held.resolve();
  await run.once(GIVE_UP_MS, never);
  expect(ends(rig).filter((end) => /^[yz]/.test(end))).toEqual(['y.txt 0 uploaded', 'z.txt 0 vanished']);
  expect(receiptOf(rig, 'y.txt').reusedFrom).toBeUndefined();
});

test('with dedupe: content, bytes that are uploaded already are not sent again, and equal files that come together go once', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 100 } });
  const rig = await runRig({ definition: autoglm(sandbox), source: { dedupe: 'content' } });
  rig.file('first.txt', 'same');
  rig.file('other.txt', 'another');
  await drain(rig);
  rig.file('later.txt', 'same');
  for (let index = 0; index < 20; index += 1) rig.file(`burst/${index}.md`, 'new, many times');
  rig.file('empty', '');
  await drain(rig);
  expect(sandbox.summary()).toMatchObject({ count: 4, repeated: 0 });
  expect(receiptOf(rig, 'later.txt')).toMatchObject({
    attempts: 0,
    reusedFrom: receiptOf(rig, 'first.txt').id,
  });
  const burst = rig.receipts().filter(({ path }) => path.startsWith('burst/'));
  const sent = burst.filter(({ reusedFrom }) => reusedFrom === undefined);
  expect([burst.length, sent.length]).toEqual([20, 1]);
  expect(new Set(burst.map(({ reusedFrom = sent[0]?.id }) => reusedFrom))).toEqual(new Set([sent[0]?.id]));
  expect(new Set(burst.map(({ url }) => url)).size).toBe(1);
});

test('when the first of equal files fails, the next is sent; each ends once', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', operation: 'upload', action: 'code', code: 400001, times: 1, after: 1 }],
  });
  const rig = await runRig({ definition: autoglm(sandbox), source: { dedupe: 'content' }, atOnce: 1 });
  rig.file('a', 'of its own');
  await drain(rig);
  for (const name of ['b', 'c', 'd']) rig.file(name, 'equal');
  await drain(rig);
  const equal = rig.receipts().filter(({ path }) => path !== 'a');
  expect(equal.map(({ status, attempts }) => `${status} ${attempts}`).sort()).toEqual([
    'failed 1',
    'uploaded 0',
    'uploaded 1',
  ]);
});

test('dedupe that is switched on later knows what was uploaded before, and goes on where it was when it is off for a while', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const plan = rig.plan() as { dedupe: string };
  rig.file('a', 'one');
  await drain(rig);
  plan.dedupe = 'content';
  rig.file('b', 'one');
  rig.file('c', 'two');
  await drain(rig);
  plan.dedupe = 'version';
  rig.file('d', 'three');
  await drain(rig);
  plan.dedupe = 'content';
  rig.file('e', 'three');
  rig.file('f', 'two');
  await drain(rig);
  const { manifest } = rig.plan();
  await compactSource({ dataDir: rig.dataDir, source: 'inbox', manifest, log: rig.log });
  rig.file('g', 'three');
  await drain(rig);
  const reused = rig.receipts().flatMap(({ path, reusedFrom }) => (reusedFrom === undefined ? [] : [path]));
  expect(reused.sort()).toEqual(['b', 'e', 'f', 'g']);
  expect(sandbox.summary().count).toBe(3);
});

test('files whose jobs outlive a restart are known again when they are renamed after their upload', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: '503' }] });
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(3);
  const first = await rig.start();
  await vi.waitFor(async () => expect((await reportOf(first)).pending).toBe(3), 10_000);
  await vi.waitFor(async () => expect((await reportOf(first)).unsettled).toBe(0), 10_000);
  await first.stop(2_000);
  sandbox.clearFaults();
  await drain(rig);
  renameSync(join(rig.root(), '1.txt'), join(rig.root(), 'renamed'));
  await drain(rig);
  expect(receiptOf(rig, 'renamed')).toMatchObject({ attempts: 0, reusedFrom: receiptOf(rig, '1.txt').id });
  expect(sandbox.summary().count).toBe(3);
});

test('what somebody asks to be sent again is sent, whatever might stand for it', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), source: { dedupe: 'content' } });
  rig.file('a', 'equal');
  rig.file('b', 'equal');
  await drain(rig);
  await askAgain(rig, 'b');
  await drain(rig);
  const sent = rig.receipts().map(({ path, gen, attempts }) => `${path} ${gen} ${attempts}`);
  expect(sent.slice(2)).toEqual(['b 1 1']);
  expect(sandbox.summary().count).toBe(2);
});
