/** Metadata and sidecars through the whole runtime, and what is left of them when it is killed. */
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { DestinationDefinition } from '../../../src/destinations/definition/definition.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import type { RunFacts } from '../../../src/runtime/run.ts';
import type { Sandbox } from '../../../src/sandbox/open-sandbox.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 60_000;

function autoglm({ autoglmUrl, tokenUrl }: Sandbox): DestinationDefinition {
  return definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } });
}

function metas(rig: RunRig): Record<string, Receipt['meta']> {
  return Object.fromEntries(rig.receipts().map(({ path, meta }) => [path, meta]));
}

function sidecar(rig: RunRig, path: string): Receipt {
  return JSON.parse(readFileSync(join(rig.root(), `${path}.receipt.json`), 'utf8')) as Receipt;
}

/** Every byte Redis holds, in memory and in the files it writes. */
async function inRedis(rig: RunRig): Promise<string> {
  const redis = rig.redis.connect();
  const values = await Promise.all(
    (await redis.keys('*')).map(async (key) => `${key} ${(await redis.dumpBuffer(key))?.toString('latin1')}`),
  );
  const folder = join(rig.redis.socketPath, '..');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const written = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'));
  return [...values, ...written].join('\n');
}

test('what is attached to a file is in its receipt, from flags, list and the file beside it', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({
    definition: autoglm(sandbox),
    source: { meta: { sidecar: true } },
    facts: { meta: { all: { run: 'r1', from: 'flag' }, list: null } },
  });
  rig.file('plain.txt');
  rig.file('d/own.txt');
  rig.file('d/own.txt.meta.json', '{"from":"beside","page":3}');
  rig.file('bad.txt');
  rig.file('bad.txt.meta.json', '{"from":');
  rig.file('early.txt.meta.json', '{"nobody":"yet"}');
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(metas(rig)).toEqual({
    'plain.txt': { run: 'r1', from: 'flag' },
    'd/own.txt': { run: 'r1', from: 'beside', page: '3' },
    'bad.txt': { run: 'r1', from: 'flag' },
  });
  expect(rig.receipts().every(({ status }) => status === 'uploaded')).toBe(true);
  expect(rig.log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields.path)).toEqual([
    'bad.txt.meta.json',
  ]);
  // What is beside a file later is no new version of it.
  rig.file('plain.txt.meta.json', '{"from":"late"}');
  await run.once(GIVE_UP_MS, never);
  expect(rig.receipts()).toHaveLength(3);
  await run.stop(5_000);
  const snapshot = JSON.parse(readFileSync(rig.plan().manifest, 'utf8')) as { files: Receipt[] };
  expect(snapshot.files.find(({ path }) => path === 'd/own.txt')?.meta).toEqual(metas(rig)['d/own.txt']);
});

test('metadata reaches neither Redis nor its files, while its file waits or after it was sent', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 50 } });
  const secret = 'only-for-the-ledger';
  const rig = await runRig({
    definition: autoglm(sandbox),
    atOnce: 2,
    facts: { meta: { all: { secret }, list: null } },
  });
  rig.files(20);
  const run = await rig.start();
  await vi.waitFor(() => expect(sandbox.summary().count).toBeGreaterThan(3), 10_000);
  const meanwhile = await inRedis(rig);
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const afterwards = await inRedis(rig);
  // The jobs are there to be seen; what is attached to their files is not.
  for (const text of [meanwhile, afterwards]) {
    expect(text).toContain('"path":"7.txt"');
    expect(text).not.toContain(secret);
  }
  expect(Object.values(metas(rig))).toEqual(Array.from({ length: 20 }, () => ({ secret })));
});

test('a file that is sent again keeps what was attached to it', async () => {
  const sandbox = await sandboxForTest();
  const facts: { meta?: RunFacts['meta'] } = { meta: { all: { order: '1' }, list: null } };
  const rig = await runRig({ definition: autoglm(sandbox), source: { onSuccess: 'delete' }, facts });
  const path = join(rig.root(), 'a.txt');
  const put = (): void => {
    rig.file('a.txt', 'same');
    utimesSync(path, 1_790_000_000, 1_790_000_000);
  };
  put();
  const first = await rig.start();
  await first.once(GIVE_UP_MS, never);
  await first.stop(5_000);
  expect(existsSync(path)).toBe(false);
  delete facts.meta;
  put();
  const second = await rig.start();
  await second.once(GIVE_UP_MS, never);
  expect(rig.receipts().map(({ gen, meta }) => ({ gen, meta }))).toEqual([
    { gen: 0, meta: { order: '1' } },
    { gen: 1, meta: { order: '1' } },
  ]);
});

test('what is attached to files of a long list is found by their paths', async () => {
  const sandbox = await sandboxForTest();
  const facts: { meta?: RunFacts['meta'] } = {};
  const rig = await runRig({ definition: autoglm(sandbox), facts });
  const list = join(rig.root(), '..', 'list.jsonl');
  const lines = Array.from({ length: 5_000 }, (_, index) =>
    JSON.stringify({ path: `${index}.txt`, meta: { order: index } }),
  );
  writeFileSync(list, lines.join('\n'));
  facts.meta = { all: null, list };
  rig.files(10);
  rig.file('unlisted.txt');
  const run = await rig.start();
  await run.once(GIVE_UP_MS, never);
  expect(metas(rig)).toEqual({
    ...Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${i}.txt`, { order: String(i) }])),
    'unlisted.txt': undefined,
  });
});

test('sidecars are written for what is uploaded, and never uploaded themselves', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), source: { sidecar: true } });
  rig.files(20);
  rig.file('empty.txt', '');
  rig.file('mine.txt.receipt.json', 'not ours');
  rig.file('mine.txt');
  const run = await rig.start();
  await run.once(GIVE_UP_MS, never);
  const receipts = rig.receipts();
  expect(receipts).toHaveLength(22);
  // The sum is the journal's alone.
  for (const receipt of receipts.filter(({ path }) => path !== 'mine.txt'))
    expect(sidecar(rig, receipt.path)).toEqual({ ...receipt, sum: undefined });
  expect(readFileSync(join(rig.root(), 'mine.txt.receipt.json'), 'utf8')).toBe('not ours');
  await run.once(GIVE_UP_MS, never);
  await run.stop(5_000);
  expect(rig.receipts()).toHaveLength(22);
});

test('a source without sidecars sends files of such names, but not the receipts another one left there', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.file('a.txt');
  rig.file('mine.receipt.json', '{"total":12}');
  const run = await rig.start();
  await run.once(GIVE_UP_MS, never);
  const [first] = rig.receipts();
  writeFileSync(join(rig.root(), 'a.txt.receipt.json'), JSON.stringify(first));
  rig.file('b.txt');
  await run.once(GIVE_UP_MS, never);
  expect(
    rig
      .receipts()
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['a.txt', 'b.txt', 'mine.receipt.json']);
});
