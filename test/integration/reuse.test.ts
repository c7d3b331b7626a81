/** What needs no upload: renamed files, equal contents, sizes and files that are not wanted; and the books over it all. */
import { copyFileSync, linkSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { DestinationDefinition } from '../../src/destinations/definition.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import { compactSource } from '../../src/record/compact-journal.ts';
import type { Run } from '../../src/runtime/run.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { definitionFrom, definitionOf } from '../support/destination-definitions.ts';
import { startHttpServer } from '../support/http-server.ts';
import { type RunRig, runRig } from '../support/run-rig.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 20_000;

function autoglm({ autoglmUrl, tokenUrl }: Sandbox, overrides: object = {}): DestinationDefinition {
  return definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl }, ...overrides });
}

/** Drains what lies there, in a run of its own. */
async function drain(rig: RunRig): Promise<void> {
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(await run.stop(5_000)).toBe(true);
}

function receiptOf(rig: RunRig, path: string): Receipt {
  const found = rig.receipts().filter((receipt) => receipt.path === path);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} receipts of ${path}`);
  return found[0];
}

/** `path status code` of every receipt, sorted. */
function ends(rig: RunRig): string[] {
  return rig
    .receipts()
    .map(({ path, gen, status, error }) => `${path} ${gen} ${error?.code ?? status}`)
    .sort();
}

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
  const { queuedAt, recordedAt, ...after } = receiptOf(rig, 'renamed 文.txt');
  const { id, url, fileId, ref, sha256, contentType, expiresAt, remote, bytes, mtime, mtimeNs } = before;
  expect(after).toEqual({
    ...{ v: 1, id: after.id, source: 'inbox', path: 'renamed 文.txt', gen: 0, status: 'uploaded' },
    ...{ destination: 'test', url, fileId, ref, bytes, sha256, contentType, mtime, mtimeNs, expiresAt },
    ...{ attempts: 0, uploadedAt: queuedAt, durationMs: null, batch: null, remote, error: null },
    reusedFrom: id,
  });
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
  const sandbox = await sandboxForTest({ capacity: { knee: 1, serviceMs: 300 } });
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: 1 });
  rig.files(3);
  rig.file('z.txt');
  const run = await rig.start();
  await vi.waitFor(
    async () => expect((await report(run)).waiting + (await report(run)).active).toBe(4),
    10_000,
  );
  renameSync(join(rig.root(), 'z.txt'), join(rig.root(), 'y.txt'));
  await run.once(GIVE_UP_MS, never);
  expect(ends(rig).filter((end) => /^[yz]/.test(end))).toEqual(['y.txt 0 uploaded', 'z.txt 0 vanished']);
  expect(receiptOf(rig, 'y.txt').reusedFrom).toBeUndefined();
});

async function report(run: Run) {
  const [source] = (await run.report()).sources;
  if (source === undefined) throw new Error('no source');
  return source;
}
