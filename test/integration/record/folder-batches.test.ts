/** Dropped folders as batches, through the whole runtime. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { DestinationDefinition } from '../../../src/destinations/definition/definition.ts';
import type { BatchEnd } from '../../../src/domain/batch.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { readSourceLedger } from '../../../src/ledger/store/source-store.ts';
import { openBatchEnds } from '../../../src/ledger/tables/batch-ends.ts';
import type { Sandbox } from '../../../src/sandbox/open-sandbox.ts';
import { definitionFrom, definitionOf } from '../../support/destination-definitions.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 60_000;
/** Longer than a busy machine takes to hear of what was written in one go. */
const QUIET_MS = 1_000;
const BATCH = { batch: { by: 'topFolder', quiet: QUIET_MS } } as const;

function autoglm({ autoglmUrl, tokenUrl }: Sandbox): DestinationDefinition {
  return definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } });
}

/** Every end so far, in their order. */
async function ends(rig: RunRig): Promise<BatchEnd[]> {
  const ledger = readSourceLedger(rig.dataDir, 'inbox');
  if (ledger === null) return [];
  const found = openBatchEnds(ledger)?.after(0, 1_000) ?? [];
  await ledger.close();
  return found.map(({ end }) => end);
}

async function ended(rig: RunRig, count: number): Promise<BatchEnd[]> {
  return await vi.waitFor(
    async () => {
      const found = await ends(rig);
      expect(found).toHaveLength(count);
      return found;
    },
    { timeout: 15_000, interval: 50 },
  );
}

function pathsOf(end: BatchEnd): string[] {
  const text = readFileSync(end.manifest, 'utf8');
  expect(createHash('sha256').update(text).digest('hex')).toBe(end.manifestSha256);
  const { files } = JSON.parse(text) as { files: Receipt[] };
  expect(files.every(({ batch }) => batch === end.batch)).toBe(true);
  return files.map(({ path }) => path).sort();
}

test('every dropped folder ends once, with a manifest of its files; files beside the folders belong to none', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), source: BATCH });
  const run = await rig.start();
  for (const name of ['order-1/a.txt', 'order-1/deep/b.txt', 'order-2/c.txt', 'loose.txt']) rig.file(name);
  rig.file('order-1/empty.txt', '');
  const found = await ended(rig, 2);
  const first = found.find(({ folder }) => folder === 'order-1');
  const second = found.find(({ folder }) => folder === 'order-2');
  if (first === undefined || second === undefined) throw new Error('not both have ended');
  expect(pathsOf(first)).toEqual(['order-1/a.txt', 'order-1/deep/b.txt', 'order-1/empty.txt']);
  expect(pathsOf(second)).toEqual(['order-2/c.txt']);
  expect(first.counts).toEqual({ discovered: 3, uploaded: 3, failed: 0, skipped: 0 });
  expect(first.batch).toMatch(/^b[0-9a-f]{32}$/);
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(5), 15_000);
  expect(rig.receipts().find(({ path }) => path === 'loose.txt')?.batch).toBeNull();
  await run.stop(5_000);
});

test('a folder that gets more files after its end begins another batch; before it they join', async () => {
  const held = Promise.withResolvers<void>();
  const server = await startHttpServer(async (visit) => {
    await visit.body();
    // Being uploaded for longer than `quiet`, and until the other one is: their batch is open all the while.
    if (visit.attempt === 1) await pause(QUIET_MS * 1.5);
    await held.promise;
    visit.json(200, { id: `file-${visit.attempt}` });
  });
  const definition = definitionFrom({
    ...{ url: `${server.origin}/files`, fileField: 'file', answer: { id: '/id' } },
  });
  const rig = await runRig({ definition, source: BATCH });
  const run = await rig.start();
  rig.file('d/1.txt');
  await vi.waitFor(() => expect(server.visits()).toBe(1), 10_000);
  const beside = join(rig.root(), '..', 'beside.txt');
  writeFileSync(beside, 'two');
  renameSync(beside, join(rig.root(), 'd/2.txt'));
  await vi.waitFor(() => expect(server.visits()).toBe(2), 10_000);
  held.resolve();
  const [first] = await ended(rig, 1);
  if (first === undefined) throw new Error('none has ended');
  expect(pathsOf(first)).toEqual(['d/1.txt', 'd/2.txt']);
  rig.file('d/3.txt');
  const [, second] = await ended(rig, 2);
  if (second === undefined) throw new Error('no second one has ended');
  expect(pathsOf(second)).toEqual(['d/3.txt']);
  expect(second.batch).not.toBe(first.batch);
  await run.stop(5_000);
});

test('a folder that keeps moving has not ended, however quiet others are', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({
    definition: autoglm(sandbox),
    source: { batch: { by: 'topFolder', quiet: 2_000 } },
  });
  const run = await rig.start();
  rig.file('calm/a.txt');
  let count = 0;
  const moving = setInterval(() => rig.file(`busy/${count++}.txt`), 100);
  try {
    const [first] = await ended(rig, 1);
    expect(first?.folder).toBe('calm');
  } finally {
    clearInterval(moving);
  }
  const [, second] = await ended(rig, 2);
  expect(second?.counts.discovered).toBe(count);
  await run.stop(5_000);
});

test('--once waits until the folders that lie there have ended', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), source: BATCH });
  for (let index = 0; index < 12; index += 1) rig.file(`d${index % 3}/${index}.txt`);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect((await ends(rig)).map(({ folder }) => folder).sort()).toEqual(['d0', 'd1', 'd2']);
  await run.stop(5_000);
});

test('a batch that is open when Slipway stops goes on at the next start, under its id', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({
    definition: autoglm(sandbox),
    source: { batch: { by: 'topFolder', quiet: 5_000 } },
  });
  const first = await rig.start();
  rig.file('d/1.txt');
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(1), 10_000);
  await first.stop(5_000);
  rig.file('d/2.txt');
  const second = await rig.start();
  const [end, ...others] = await ended(rig, 1);
  if (end === undefined) throw new Error('none has ended');
  expect([pathsOf(end), others]).toEqual([['d/1.txt', 'd/2.txt'], []]);
  expect(end.batch).toBe(rig.receipts()[0]?.batch);
  await second.stop(5_000);
});

test('files that went away with everything Redis held keep no batch from ending', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 20 } });
  const rig = await runRig({ definition: autoglm(sandbox), source: BATCH, atOnce: 1 });
  const run = await rig.start();
  for (let index = 0; index < 60; index += 1) rig.file(`d/${index}.txt`);
  await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(3), 10_000);
  for (let index = 30; index < 60; index += 1) rmSync(join(rig.root(), `d/${index}.txt`));
  await rig.redis.connect().flushall();
  const [end] = await ended(rig, 1);
  if (end === undefined) throw new Error('none has ended');
  const paths = new Set(pathsOf(end));
  for (let index = 0; index < 30; index += 1) expect(paths).toContain(`d/${index}.txt`);
  await run.stop(5_000);
});

test('a folder whose batches are switched off ends with what it had', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({
    definition: autoglm(sandbox),
    source: { batch: { by: 'topFolder', quiet: 60_000 } },
  });
  rig.file('d/1.txt');
  const first = await rig.start();
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(1), 10_000);
  await first.stop(5_000);
  Object.assign(rig.plan(), { batch: null });
  mkdirSync(join(rig.root(), 'e'));
  rig.file('e/2.txt');
  const second = await rig.start();
  const [end] = await ended(rig, 1);
  expect(end?.counts.discovered).toBe(1);
  await second.once(GIVE_UP_MS, never);
  expect(rig.receipts().map(({ batch }) => batch === null)).toEqual([false, true]);
  await second.stop(5_000);
});
