/** What `status` says of a batch under way: discovered = uploaded + failed + skipped + pending, at every moment. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { Run } from '../../../src/runtime/run.ts';
import { ALL, BATCH, handOver, partOf, startBatch } from '../../support/batch-part.ts';
import { runRig } from '../../support/run-rig.ts';
import { autoglm, GIVE_UP_MS, never, reportOf } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { zipBytes } from '../../support/zip-bytes.ts';

/** Every report until the batch has ended says so many, each of them in one of the books. */
async function booksOf(run: Run, files: number): Promise<Set<number>> {
  const uploadedSeen = new Set<number>();
  let ended = false;
  while (!ended) {
    // Asked first: the report then is of a batch that goes on, or of its very end.
    ended = run.batch(BATCH).every(({ end }) => end !== null);
    const { discovered, uploaded, failed, skipped, pending } = await reportOf(run);
    expect({ discovered, sum: uploaded + failed + skipped + pending }).toEqual({
      discovered: files,
      sum: files,
    });
    uploadedSeen.add(uploaded);
  }
  return uploadedSeen;
}

test('what a batch has in hand beside a queue without room is pending, from the first look to the end', async () => {
  const sandbox = await sandboxForTest({
    capacity: { serviceMs: 20 },
    faults: [{ api: 'token', action: '503' }],
  });
  const retry = { baseDelay: 20, maxDelay: 50 };
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: 2, retry });
  rig.files(30);
  const run = await startBatch(rig, partOf(rig, ALL), { maxPending: 4 });
  await vi.waitFor(async () => {
    const { batches, waiting, active, delayed } = await reportOf(run);
    expect(batches).toMatchObject([{ members: 30, done: 0 }]);
    expect(waiting + active + delayed).toBe(4);
  }, 15_000);
  expect(await reportOf(run)).toMatchObject({ discovered: 30, pending: 30, uploaded: 0 });
  sandbox.clearFaults();
  const once = run.once(GIVE_UP_MS, never);
  const seen = await booksOf(run, 30);
  expect(await once).toEqual(['drained']);
  // Some of it was seen under way.
  expect(seen.size).toBeGreaterThan(2);
  expect(await reportOf(run)).toMatchObject({ discovered: 30, pending: 0, uploaded: 30, batches: [] });
}, 40_000);

test('equal files that wait for the first of them, and files of archives, are pending too', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: '503' }] });
  const rig = await runRig({
    ...{ definition: autoglm(sandbox), source: { dedupe: 'content' }, atOnce: 2 },
    retry: { baseDelay: 20, maxDelay: 50 },
  });
  for (let index = 0; index < 10; index += 1) rig.file(`${index}.txt`, 'equal');
  const path = join(dirname(rig.root()), 'a.zip');
  const entries = Array.from({ length: 10 }, (_, index) => ({ name: `${index}`, content: `${index % 2}` }));
  writeFileSync(path, zipBytes(entries));
  const run = await startBatch(rig, partOf(rig, ALL, { kind: 'archive', path }));
  await vi.waitFor(() => expect(run.batch(BATCH)).toMatchObject([{ walked: true, members: 20 }]), 15_000);
  await vi.waitFor(async () => {
    const { waiting, active, delayed } = await reportOf(run);
    expect(waiting + active + delayed).toBe(3);
  }, 10_000);
  expect(await reportOf(run)).toMatchObject({ discovered: 20, pending: 20 });
  sandbox.clearFaults();
  const once = run.once(GIVE_UP_MS, never);
  await booksOf(run, 20);
  expect(await once).toEqual(['drained']);
}, 40_000);

test('a file that a watcher and a batch have in hand is counted once', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: '503' }] });
  const rig = await runRig({
    ...{ definition: autoglm(sandbox), source: { dedupe: 'content' }, atOnce: 2 },
    retry: { baseDelay: 20, maxDelay: 50 },
  });
  for (let index = 0; index < 10; index += 1) rig.file(`${index}.txt`, 'equal');
  const run = await rig.start();
  const held = { discovered: 10, pending: 10, unsettled: 0 };
  await vi.waitFor(async () => expect(await reportOf(run)).toMatchObject(held), 15_000);
  const handed = await handOver(rig, partOf(rig, ALL));
  await vi.waitFor(() => expect(run.batch(BATCH)).toMatchObject([{ walked: true, members: 10 }]), 15_000);
  expect(await reportOf(run)).toMatchObject(held);
  sandbox.clearFaults();
  expect(await handed.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(sandbox.summary().count).toBe(1);
}, 40_000);
