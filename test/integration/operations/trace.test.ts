/** The way of a file as `trace` tells it, while it waits and long after it was recorded. */
import { renameSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { compactSource } from '../../../src/ledger/upkeep/compact-journal.ts';
import { rebuildSource } from '../../../src/ledger/upkeep/rebuild-ledger.ts';
import { type Trace, traceFile } from '../../../src/operations/inspect/trace.ts';
import { definitionFrom } from '../../support/destination-definitions.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { askAgain, type RunRig, runRig } from '../../support/run-rig.ts';
import { drain, receiptOf } from '../../support/run-steps.ts';

const SETTLE_MS = 300;
const QUICK = { baseDelay: 20, maxDelay: 50 };

/** Answers a file's tries with these one after another, and any other with 200. */
async function serverThatAnswers(answers: Readonly<Record<string, readonly number[]>>) {
  const left = new Map(Object.entries(answers).map(([name, codes]) => [name, [...codes]]));
  const server = await startHttpServer(async (visit) => {
    const body = (await visit.body()).toString('latin1');
    const name = /filename="([^"]*)"/.exec(body)?.[1] ?? '';
    const status = left.get(name)?.shift() ?? 200;
    visit.json(status, status === 200 ? { id: `id-${name}` } : { error: { message: 'no' } });
  });
  return definitionFrom({ url: `${server.origin}/files`, fileField: 'file', answer: { id: '/id' } });
}

async function traceOf(rig: RunRig, path: string, url: string | null = null): Promise<Trace> {
  const [trace] = await traceFile({
    path: join(rig.root(), path),
    sources: [{ name: 'inbox', plan: rig.plan() }],
    ownPaths: [],
    dataDir: rig.dataDir,
    redis: { url, prefix: 'slipway' },
    cwd: rig.root(),
    nowMs: Date.now(),
    log: rig.log,
  });
  if (trace === undefined) throw new Error(`nothing is known of ${path}`);
  return trace;
}

const eventsOf = ({ timeline }: Trace): string[] => timeline.map(({ event }) => event);

function expectInOrder({ timeline }: Trace): void {
  const times = timeline.map(({ at }) => at ?? '');
  expect(times).toEqual([...times].sort());
}

/** Its time says nothing about when it was last written, so that it waits the whole of `settle`. */
function touchAhead(rig: RunRig, path: string): void {
  const seconds = Date.now() / 1_000 + 3_600;
  utimesSync(join(rig.root(), path), seconds, seconds);
}

test('a live file that went through at the third try tells all of it, also after a compaction and a rebuild', async () => {
  const definition = await serverThatAnswers({ 'a.txt': [500, 429] });
  const rig = await runRig({ definition, retry: QUICK, source: { settle: SETTLE_MS } });
  rig.file('before.txt');
  const run = await rig.start();
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(1), 20_000);
  rig.file('a.txt');
  touchAhead(rig, 'a.txt');
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(2), 20_000);
  await run.stop(5_000);

  const told = await traceOf(rig, 'a.txt');
  expect(eventsOf(told)).toEqual([
    ...['seen', 'settled', 'queued'],
    ...['attempt', 'attempt', 'uploaded', 'recorded'],
  ]);
  expectInOrder(told);
  const [seen, settled, , first, second, uploaded] = told.timeline;
  expect(Date.parse(settled?.at ?? '') - Date.parse(seen?.at ?? '')).toBeGreaterThanOrEqual(SETTLE_MS);
  expect(first?.detail).toBe('HTTP 500 unavailable');
  expect(second?.detail).toBe('HTTP 429 throttled');
  expect(uploaded?.detail).toBe('to test, 2 attempts: id-a.txt');

  const { manifest } = rig.plan();
  const place = { dataDir: rig.dataDir, source: 'inbox', manifest, log: rig.log };
  await compactSource(place);
  expect((await traceOf(rig, 'a.txt')).timeline).toEqual(told.timeline);
  await rebuildSource(place);
  expect((await traceOf(rig, 'a.txt')).timeline).toEqual(told.timeline);
});

test('failed, left out, renamed and sent again: each generation tells its own way', async () => {
  const definition = await serverThatAnswers({ 'bad.txt': [503, 400], 'again.txt': [200, 500] });
  const rig = await runRig({ definition, retry: QUICK, source: { maxBytes: 50 } });
  rig.file('good.txt');
  await drain(rig);
  rig.file('bad.txt');
  rig.file('large.txt', 'x'.repeat(51));
  rig.file('again.txt');
  renameSync(join(rig.root(), 'good.txt'), join(rig.root(), 'renamed.txt'));
  await drain(rig);
  await askAgain(rig, 'again.txt');
  await drain(rig);

  const bad = await traceOf(rig, 'bad.txt');
  expect(eventsOf(bad)).toEqual([
    ...['seen', 'settled', 'queued'],
    ...['attempt', 'attempt', 'failed', 'recorded'],
  ]);
  expectInOrder(bad);
  expect(bad.timeline[3]?.detail).toContain('HTTP 503');
  expect(bad.timeline[4]?.detail).toBe('HTTP 400 rejected');
  const large = await traceOf(rig, 'large.txt');
  expect(eventsOf(large)).toEqual(['seen', 'settled', 'queued', 'skipped', 'recorded']);
  const renamed = await traceOf(rig, 'renamed.txt');
  expect(eventsOf(renamed)).toEqual(['seen', 'settled', 'queued', 'uploaded', 'recorded']);
  expect(renamed.timeline[3]?.detail).toContain('nothing sent');
  expect(receiptOf(rig, 'renamed.txt')).not.toHaveProperty('attemptLog');
  const again = await traceOf(rig, 'again.txt');
  expectInOrder(again);
  expect(again.timeline.map(({ event, version }) => `${version.slice(-1)} ${event}`)).toEqual([
    ...['0 seen', '0 settled', '0 queued', '0 uploaded', '0 recorded'],
    ...['1 seen', '1 settled', '1 queued', '1 attempt', '1 uploaded', '1 recorded'],
  ]);
});

test('a file that waits for its next try tells when it was seen and settled from its job', async () => {
  const definition = await serverThatAnswers({ 'a.txt': Array.from({ length: 1_000 }, () => 503) });
  const rig = await runRig({ definition, retry: { baseDelay: 50, maxDelay: 60_000 } });
  rig.file('a.txt');
  await rig.start();
  await vi.waitFor(
    async () =>
      expect(eventsOf(await traceOf(rig, 'a.txt', rig.redis.socketPath)).slice(0, 4)).toEqual([
        ...['seen', 'settled', 'queued', 'attempt'],
      ]),
    { timeout: 20_000, interval: 100 },
  );
});
