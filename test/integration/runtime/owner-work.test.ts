/** Commands hand work to the live owner over Redis, on whatever host, else become it. */
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { EXIT, exitCodeOf } from '../../../src/cli/exit-codes.ts';
import { replayJournal } from '../../../src/ledger/journal/journal-replay.ts';
import { journalPathOf } from '../../../src/ledger/journal/manifest-journal.ts';
import { applyResend } from '../../../src/ledger/store/resend-request.ts';
import { openSourceStore } from '../../../src/ledger/store/source-store.ts';
import { resendFile, resendSources } from '../../../src/operations/control/resend.ts';
import type { DeadLetterFacts } from '../../../src/operations/failed/dead-letter-kind.ts';
import { deadLetterKinds } from '../../../src/operations/failed/dead-letters.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { lineOf, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { jobFor } from '../../support/upload-job.ts';

const never = new AbortController().signal;
const ANY = { match: [], codes: [] };

async function rigWith(...refusedOnce: readonly string[]): Promise<RunRig> {
  const sandbox = await sandboxForTest({
    faults: refusedOnce.map((filename) => ({
      ...{ api: 'autoglm', action: 'code', code: 400001, filename, times: 1 },
    })),
  });
  const { autoglmUrl, tokenUrl } = sandbox;
  return runRig({ definition: definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } }) });
}

/** A command on a host whose data folder has never seen these sources. */
function elsewhere(rig: RunRig): DeadLetterFacts {
  const dataDir = join(testFolder(), 'data');
  const redis = { url: rig.redis.socketPath, prefix: 'slipway' };
  const config = { dataDir, redis, webhooks: [], sources: {} };
  return { config, sources: [{ name: 'inbox', plan: rig.plan() }], dataDir, redis, log: rememberingLog() };
}

function recorded(rig: RunRig): string[] {
  return rig.receipts().map(({ path, gen, status }) => `${path} ${gen} ${status}`);
}

test('a dead letter is sent again by its owner, asked from a host that keeps no record of it', async () => {
  const rig = await rigWith('bad.txt', 'worse.txt');
  for (const name of ['fine.txt', 'bad.txt', 'worse.txt']) rig.file(name);
  const run = await rig.start();
  await run.once(60_000, never);
  expect((await run.report()).sources[0]).toMatchObject({ uploaded: 1, failed: 2, dead: 2 });
  const [uploads] = deadLetterKinds(elsewhere(rig));
  const asked = await uploads?.retry({ match: ['bad*'], codes: ['rejected'] });
  expect(asked).toMatchObject([{ source: 'inbox', letters: 1, missing: 0, owner: { pid: process.pid } }]);
  await vi.waitFor(() => expect(recorded(rig)).toContain('bad.txt 1 uploaded'), { timeout: 15_000 });
  expect(await uploads?.discard(ANY)).toMatchObject([{ letters: 1 }]);
  expect((await run.report()).sources[0]).toMatchObject({ uploaded: 2, failed: 1, dead: 0 });
  expect(await uploads?.retry(ANY)).toEqual([]);
  expect(recorded(rig)).toHaveLength(4);
});

test('a file, and all of a source, are sent again by the owner, asked from elsewhere', async () => {
  const rig = await rigWith();
  rig.files(3);
  const run = await rig.start();
  await run.once(60_000, never);
  const facts = elsewhere(rig);
  const file = { path: join(rig.root(), '1.txt'), ownPaths: [], cwd: '/', nowMs: Date.now() };
  expect(await resendFile({ ...facts, ...file })).toEqual([
    { kind: 'asked', source: 'inbox', path: '1.txt', files: 1, owner: process.pid },
  ]);
  await vi.waitFor(() => expect(recorded(rig)).toContain('1.txt 1 uploaded'), { timeout: 15_000 });
  expect(await resendSources({ ...facts, batch: null })).toMatchObject([{ files: 3, owner: process.pid }]);
  await vi.waitFor(() => expect(recorded(rig)).toContain('1.txt 2 uploaded'), { timeout: 15_000 });
  await run.once(60_000, never);
  expect(recorded(rig).sort().slice(3)).toEqual(
    ['1.txt 1 uploaded', '1.txt 2 uploaded', '2.txt 0 uploaded', '2.txt 1 uploaded'].sort(),
  );
  expect(await resendSources({ ...facts, batch: 'unknown' })).toMatchObject([
    { kind: 'refused', source: null },
  ]);
});

test('while Redis is away nothing is asked for, and whoever asked is told to try again', async () => {
  const folder = testFolder();
  const store = await storeIn(folder);
  onTestFinished(() => store.close());
  const { ledger, journal } = store;
  await journal.append([lineOf('a'), lineOf('b', { batch: 'b1' })]);
  const log = rememberingLog();
  await replayJournal({ ledger, journal, log });
  const rig = await rigWith();
  const plan = { ...rig.plan(), root: folder, manifest: join(folder, 'inbox.manifest.json') };
  const dataDir = join(folder, 'data');
  const facts = { sources: [{ name: 'inbox', plan }], dataDir, log };
  const away = { url: 'redis://127.0.0.1:1', prefix: 'slipway' };
  const [uploads] = deadLetterKinds({
    ...{ ...facts, redis: away, config: { dataDir, redis: away, webhooks: [], sources: {} } },
  });
  const asked: readonly [string, () => Promise<unknown>][] = [
    ['redis_unreachable', () => resendSources({ ...facts, redis: away, batch: 'b1' })],
    ['redis_unreachable', async () => await uploads?.retry(ANY)],
    // A private one that does not run, although a process of this host owns the source.
    ['owner_out_of_reach', () => resendSources({ ...facts, redis: { ...away, url: null }, batch: 'b1' })],
  ];
  for (const [code, ask] of asked) {
    const error: unknown = await ask().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code });
    expect(exitCodeOf(error)).toBe(EXIT.temporary);
  }
  expect(ledger.find(jobFor('b').id)).toMatchObject({ again: false });
});

test('what concerns many files is granted page by page, each once, however much is recorded between', async () => {
  const { ledger, journal, close } = await storeIn(testFolder());
  onTestFinished(close);
  const log = rememberingLog();
  const paths = Array.from({ length: 2_400 }, (_, index) => `p${index}`);
  const big = { remote: 'x'.repeat(12_000), batch: 'b1' };
  await journal.append(paths.map((path) => lineOf(path, big)));
  await replayJournal({ ledger, journal, log });
  const request = { name: null, batch: 'b1', to: 'dest', mark: journal.size() } as const;
  const first = await applyResend(request, ledger, journal.path, 0);
  expect(first.versions).toBeLessThan(paths.length);
  expect(first.next).not.toBeNull();
  await journal.append([lineOf('p2399', { gen: 1 }), lineOf('late', big)]);
  await replayJournal({ ledger, journal, log });
  const second = await applyResend(request, ledger, journal.path, first.next ?? 0);
  expect([first.versions + second.versions, second.next]).toEqual([paths.length - 1, null]);
  expect(ledger.findPath({ path: 'late' })).toMatchObject({ again: false });
  expect((await applyResend({ ...request, to: 'other' }, ledger, journal.path, 0)).versions).toBe(0);
});

test('a file that lies where it was moved to is put back, and sent again by the next run', async () => {
  const rig = await rigWith('bad.txt');
  const failed = join(rig.root(), '../failed');
  mkdirSync(failed);
  rig.file('fine.txt');
  rig.file('bad.txt');
  const run = await rig.start();
  await run.once(60_000, never);
  renameSync(join(rig.root(), 'bad.txt'), join(failed, 'bad.txt'));
  const facts = elsewhere(rig);
  await run.stop(5_000);
  const plan = { ...rig.plan(), onFailure: { moveTo: failed } };
  const here = {
    ...facts,
    dataDir: join(rig.root(), '../data'),
    sources: [{ name: 'inbox', plan }],
  };
  const [uploads] = deadLetterKinds(here);
  expect(await uploads?.retry(ANY)).toMatchObject([{ letters: 1, putBack: 1, missing: 0, owner: null }]);
  expect(readdirSync(failed)).toEqual([]);
  const again = await rig.start();
  await again.once(60_000, never);
  expect(recorded(rig)).toContain('bad.txt 1 uploaded');
  await again.stop(5_000);
  const store = await openSourceStore({
    ...{ dataDir: here.dataDir, source: 'inbox', manifest: plan.manifest, log: here.log },
  });
  expect(store.journal.path).toBe(journalPathOf(plan.manifest));
  expect(store.ledger.deadLetters.count()).toBe(0);
  await store.close();
});
