/** Receipts that the owner makes without a job: sizes, what lay there before, views that differ; and the books over it all. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { isoOfNs } from '../../../src/domain/file-version.ts';
import { runRig } from '../../support/run-rig.ts';
import { autoglm, drain, ends, GIVE_UP_MS, never, reportOf } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

test('files outside the sizes of the source get a receipt and no request; when the sizes change they go, or stay', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), source: { minBytes: 1, maxBytes: 10 } });
  const plan = rig.plan() as { maxBytes: number | null };
  rig.file('empty', '');
  rig.file('ok', 'ten bytes!');
  rig.file('large', 'eleven byte');
  rig.file('huge', 'x'.repeat(1_000));
  await drain(rig);
  await drain(rig);
  expect(ends(rig)).toEqual(['empty 0 empty', 'huge 0 too_large', 'large 0 too_large', 'ok 0 uploaded']);
  plan.maxBytes = 11;
  await drain(rig);
  await drain(rig);
  expect(ends(rig).filter((end) => end.includes(' 1 '))).toEqual(['large 1 uploaded']);
  expect(sandbox.summary().count).toBe(2);
});

test('what a destination did not take goes once its limits are others', async () => {
  const sandbox = await sandboxForTest();
  const small = autoglm(sandbox, { limits: { maxBytes: '5B' } });
  const rig = await runRig({ definition: small });
  rig.file('a', '123456');
  await drain(rig);
  await drain(rig);
  rig.use(autoglm(sandbox));
  await drain(rig);
  await drain(rig);
  expect(ends(rig)).toEqual(['a 0 too_large', 'a 1 uploaded']);
});

test('existing: skip leaves alone what lies there at the first start, and nothing else', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), source: { existing: 'skip' } });
  const plan = rig.plan() as { existing: string };
  rig.files(20);
  const run = await rig.start();
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(20), 10_000);
  rig.file('live.txt');
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(21), 10_000);
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(await reportOf(run)).toMatchObject({ discovered: 21, uploaded: 1, skipped: 20, pending: 0 });
  await run.stop(5_000);
  rig.file('while-away.txt');
  rig.file('3.txt', 'edited');
  await drain(rig);
  expect(ends(rig).filter((end) => !end.endsWith('existing'))).toEqual([
    '3.txt 0 uploaded',
    'live.txt 0 uploaded',
    'while-away.txt 0 uploaded',
  ]);
  expect(sandbox.summary().count).toBe(3);
  // Wanted after all: as their next generation, but for the one that was replaced.
  plan.existing = 'upload';
  await drain(rig);
  await drain(rig);
  expect(ends(rig).filter((end) => end.includes(' 1 '))).toHaveLength(19);
  expect(sandbox.summary().count).toBe(22);
});

test('a ledger that is lost is built from the journal, and its source has had its first start', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox), source: { existing: 'skip' } });
  rig.file('old');
  await drain(rig);
  rmSync(join(rig.dataDir, 'sources'), { recursive: true });
  rig.file('new');
  await drain(rig);
  expect(ends(rig)).toEqual(['new 0 uploaded', 'old 0 existing']);
});

test('existing: skip that comes after the first start changes nothing', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const plan = rig.plan() as { existing: string };
  await drain(rig);
  rig.file('a');
  plan.existing = 'skip';
  await drain(rig);
  expect(ends(rig)).toEqual(['a 0 uploaded']);
});

test('at every moment of a run of renames, skips, failures and edits the books balance', async () => {
  const sandbox = await sandboxForTest({
    capacity: { serviceMs: 15 },
    faults: [{ api: 'autoglm', operation: 'upload', action: 'code', code: 400001, every: 5, after: 1 }],
  });
  const rig = await runRig({ definition: autoglm(sandbox), source: { maxBytes: 100, dedupe: 'content' } });
  const root = rig.root();
  const run = await rig.start();
  const samples: Awaited<ReturnType<typeof reportOf>>[] = [];
  let over = false;
  const sampling = (async () => {
    while (!over) samples.push(await reportOf(run));
  })();
  for (let round = 0; round < 5; round += 1) {
    for (let index = 0; index < 30; index += 1) rig.file(`${round}/${index}.txt`, `${index} of ${round}`);
    rig.file(`${round}/large`, 'x'.repeat(101));
    rig.file(`${round}/equal`, 'the same in every round');
    rig.file(`${round}/gone`, 'soon');
    await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(round * 30 + 5), 20_000);
    rmSync(join(root, `${round}/gone`));
    renameSync(join(root, `${round}/0.txt`), join(root, `${round}/renamed.txt`));
    rig.file(`${round}/1.txt`, 'edited');
  }
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  over = true;
  await sampling;
  const last = await reportOf(run);
  for (const { discovered, uploaded, failed, skipped, pending, unsettled, waiting } of [...samples, last]) {
    expect(uploaded + failed + skipped + pending).toBe(discovered);
    expect(Math.min(pending - unsettled, waiting)).toBeGreaterThanOrEqual(0);
    // Names there ever were, and one more version of each that is edited or replaced.
    expect(discovered).toBeLessThanOrEqual(5 * 34 + 5);
  }
  expect(samples.length).toBeGreaterThan(20);
  expect(samples.some(({ pending }) => pending > 0)).toBe(true);
  expect(last.pending).toBe(0);
  // The far side of the books: the latest receipt of every path.
  const inOrder = rig.receipts().sort((a, b) => a.queuedAt.localeCompare(b.queuedAt));
  const latest = new Map(inOrder.map(({ path, status }) => [path, status]));
  const of = (status: string): number => [...latest.values()].filter((found) => found === status).length;
  expect(last).toMatchObject({ uploaded: of('uploaded'), failed: of('failed'), skipped: of('skipped') });
  expect(of('failed')).toBeGreaterThan(0);
  const versions = rig.receipts().map(({ id, gen }) => `${id}-${gen}`);
  expect(new Set(versions).size).toBe(versions.length);
});

test('a worker on another mount that cuts times off at milliseconds uploads; one that sees another file ends the version', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const [here, there] = [rig.root(), `${rig.root()}-elsewhere`];
  mkdirSync(there);
  for (const name of ['coarse', 'stale']) {
    rig.file(name);
    copyFileSync(join(here, name), join(there, name));
  }
  const { mtimeNs } = statSync(join(here, 'coarse'), { bigint: true });
  expect(mtimeNs % 1_000_000n).not.toBe(0n);
  // utimes takes seconds as a fraction, which would not be exact.
  execFileSync('touch', ['-d', isoOfNs(String(mtimeNs)), join(there, 'coarse')]);
  // Comparing often: that is how soon what was skipped comes again.
  await rig.start({ roles: ['intake'], plans: [{ ...rig.plan(), rescan: 100 }] });
  await rig.start({ roles: ['worker'], plans: [{ ...rig.plan(), root: there }] });
  await vi.waitFor(() => expect(ends(rig)).toContain('stale 3 version_mismatch'), 20_000);
  expect(ends(rig)).toEqual([
    'coarse 0 uploaded',
    'stale 0 changed',
    'stale 1 changed',
    'stale 2 changed',
    'stale 3 version_mismatch',
  ]);
  const [end] = rig.receipts().filter(({ status }) => status === 'failed');
  expect(end).toMatchObject({
    attempts: 0,
    error: { kind: 'local', message: expect.stringContaining('mount') },
  });
  // Touched here and copied there with its time, it is a new version and begins anew.
  for (const root of [here, there]) utimesSync(join(root, 'stale'), 1_000, 1_000);
  await vi.waitFor(() => expect(ends(rig)).toContain('stale 0 uploaded'), 10_000);
});
