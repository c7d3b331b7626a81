import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { fileVersionId } from '../../../src/domain/file-version.ts';
import { silentLog } from '../../../src/domain/log.ts';
import { jobIdOf, newUploadJob } from '../../../src/domain/upload-job.ts';
import { openUploadQueue } from '../../../src/queue/upload-queue.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { processingDefinition, startProcessingApi } from '../../support/processing-api.ts';
import { inLine } from '../../support/queue-orders.ts';
import { runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 60_000;

test('DashScope files are recorded once they are processed', async () => {
  const sandbox = await sandboxForTest({
    processingMs: 500,
    limits: { dashscopeUploadsPerSecond: 1_000, dashscopeQueriesPerSecond: 1_000 },
  });
  const definition = definitionOf('dashscope', {
    params: { base: sandbox.dashscopeBase },
    waitUntilReady: true,
  });
  const rig = await runRig({ definition });
  rig.files(8);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const receipts = rig.receipts();
  expect(receipts).toHaveLength(8);
  for (const { status, ref, attempts } of receipts) {
    expect({ status, ref, attempts }).toEqual({
      status: 'uploaded',
      ref: expect.stringMatching(/^fileid:\/\/file-fe-/),
      attempts: 1,
    });
  }
  expect(sandbox.summary()).toMatchObject({ count: 8, repeated: 0, refused: {} });
});

test('files that wait hold neither a permit nor a place in the worker: all go out before the first is ready', async () => {
  const api = await startProcessingApi();
  const rig = await runRig({ definition: processingDefinition(api), atOnce: 1 });
  // More than one worker holds at once, even counting the places for refusals that are held back.
  rig.files(60);
  const run = await rig.start();
  const ended = run.once(GIVE_UP_MS, never);
  await vi.waitFor(() => expect(api.uploads()).toBe(60), 15_000);
  expect(rig.receipts()).toEqual([]);
  api.state = 'processed';
  expect(await ended).toEqual(['drained']);
  expect(rig.receipts().filter(({ status }) => status === 'uploaded')).toHaveLength(60);
  expect(api.uploads()).toBe(60);
});

test('a file that cannot be processed fails for good, after one upload and with its id in the reason', async () => {
  const api = await startProcessingApi('error');
  const rig = await runRig({ definition: processingDefinition(api) });
  rig.files(25);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  const receipts = rig.receipts();
  expect(receipts).toHaveLength(25);
  for (const { status, error, attempts } of receipts) {
    expect({ status, attempts }).toEqual({ status: 'failed', attempts: 1 });
    expect(error).toMatchObject({ code: 'processing_failed', kind: 'rejected' });
    expect(error?.message).toMatch(/\(file-\d+\)/);
  }
  expect(api.uploads()).toBe(25);
  // More than 20 in a row: but they were accepted, so the destination is not to blame (G6).
  expect((await run.report()).destinations[0]?.health).toBe('running');
});

test('a file that is not usable by the deadline fails as not ready', async () => {
  const api = await startProcessingApi();
  const rig = await runRig({ definition: processingDefinition(api, { deadline: '300ms' }) });
  rig.file('a.txt');
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts()).toMatchObject([
    { status: 'failed', attempts: 1, error: { code: 'not_ready', kind: 'unavailable' } },
  ]);
  expect(api.uploads()).toBe(1);
});

test('looks that do not get through are repeated at no cost, also past the deadline, and shown as trouble', async () => {
  const api = await startProcessingApi('reset');
  const rig = await runRig({
    definition: processingDefinition(api, { deadline: '200ms' }),
    retry: { maxDelay: 50 },
  });
  rig.file('a.txt');
  const run = await rig.start();
  await vi.waitFor(() => expect(api.looks().get('file-1')).toBeGreaterThan(8), 10_000);
  expect((await run.report()).destinations[0]?.lastTrouble).toMatch(/the connection failed/);
  expect(rig.receipts()).toEqual([]);
  api.state = 'processed';
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts()).toMatchObject([{ status: 'uploaded', attempts: 1, fileId: 'file-1' }]);
  expect(api.uploads()).toBe(1);
  expect((await run.report()).destinations[0]?.lastTrouble).toBeNull();
});

test('--once gives up on looks that never get through; the accepted file is kept, and not sent again by the next run', async () => {
  const api = await startProcessingApi('reset');
  const rig = await runRig({ definition: processingDefinition(api) });
  rig.file('a.txt');
  const first = await rig.start();
  expect(await first.once(700, never)).toEqual(['gave-up']);
  expect(await first.stop(5_000)).toBe(true);
  expect(rig.receipts()).toEqual([]);
  api.state = 'processed';
  const second = await rig.start();
  expect(await second.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts()).toMatchObject([{ status: 'uploaded', fileId: 'file-1' }]);
  expect(api.uploads()).toBe(1);
});

test('a process that died between the upload and its first look leaves a job that is looked at, never sent again', async () => {
  const api = await startProcessingApi('processed');
  const definition = processingDefinition(api);
  const rig = await runRig({ definition });
  rig.file('a.txt', 'accepted before the crash');
  const { size, mtimeNs } = lstatSync(join(rig.root(), 'a.txt'), { bigint: true });
  const version = { source: 'inbox', destination: definition.name, path: 'a.txt', size: Number(size) };
  const known = { ...version, mtimeNs: String(mtimeNs) };
  const accepted = {
    url: null,
    fileId: 'file-77',
    ref: 'fileid://file-77',
    expiresAt: null,
    remote: { id: 'file-77' },
  };
  const queue = openUploadQueue({
    connection: rig.redis.connect(),
    prefix: 'slipway',
    source: 'inbox',
    destination: definition.name,
    log: silentLog,
    now: Date.now,
  });
  const uploaded = {
    kind: 'uploaded' as const,
    accepted,
    bytes: Number(size),
    sha256: 'a'.repeat(64),
    contentType: 'text/plain',
    uploadedAt: new Date().toISOString(),
    durationMs: 5,
    requests: 1,
  };
  const job = { ...newUploadJob(known, 0, null), remoteId: 'file-77', uploaded };
  await queue.add(inLine([{ jobId: jobIdOf(fileVersionId(known), 0), job }]));
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts()).toMatchObject([
    { status: 'uploaded', fileId: 'file-77', sha256: 'a'.repeat(64), attempts: 1 },
  ]);
  expect(api.uploads()).toBe(0);
  expect([...api.looks()]).toEqual([['file-77', 1]]);
});

test('with a small quota of looks every file still gets its turn, and is looked at no more often than it must', async () => {
  const api = await startProcessingApi('processed');
  const rig = await runRig({ definition: processingDefinition(api, { perSecond: 20 }), atOnce: 16 });
  rig.files(60);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts()).toHaveLength(60);
  expect(api.looks().size).toBe(60);
  expect([...api.looks().values()].every((looks) => looks === 1)).toBe(true);
});
