import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { createMutex } from '../../../src/platform/waiting/mutex.ts';
import { startRecorder } from '../../../src/record/recorder.ts';
import {
  finishedJob,
  journalLines,
  lineOf,
  memoryFinishedJobs,
  NOW_MS,
  recorderRig,
  rememberingLog,
  storeIn,
  testFolder,
} from '../../support/record-rig.ts';
import { jobFor } from '../../support/upload-job.ts';

test('finished jobs become receipts and leave the queue', async () => {
  const finished = memoryFinishedJobs([finishedJob('a'), finishedJob('b', { status: 'failed' })]);
  const rig = await recorderRig({ finished });
  await rig.recorder.drained();
  const lines = journalLines(rig.store.journal.path);
  expect(lines.map(({ path, status }) => [path, status])).toEqual([
    ['a', 'uploaded'],
    ['b', 'failed'],
  ]);
  expect(lines[0]?.recordedAt).toBe(new Date(NOW_MS).toISOString());
  expect(finished.jobs).toEqual([]);
  expect(rig.recorded).toEqual(lines);
  expect(rig.freed).toEqual([finishedJob('a').jobId, finishedJob('b').jobId]);
  expect(rig.store.ledger.find(jobFor('b').id)).toMatchObject({ gen: 0, status: 'failed' });
});

test('a job that finishes later is recorded when it is announced', async () => {
  const rig = await recorderRig({ timing: { pollMs: 3_600_000, spacingMs: 1, retryMs: 5, maxRetryMs: 20 } });
  await rig.recorder.drained();
  rig.finished.jobs.push(finishedJob('a'));
  rig.recorder.wake();
  await vi.waitFor(() => expect(rig.freed).toHaveLength(1));
});

test('a job that nobody announces is found by looking', async () => {
  const rig = await recorderRig();
  await rig.recorder.drained();
  rig.finished.jobs.push(finishedJob('a'));
  await vi.waitFor(() => expect(rig.freed).toHaveLength(1));
});

test('more jobs than one batch holds are drained at once, in their order', async () => {
  const jobs = Array.from({ length: 1_234 }, (_, index) => finishedJob(`${index}`));
  const rig = await recorderRig({ finished: memoryFinishedJobs([...jobs]) });
  await rig.recorder.drained();
  expect(journalLines(rig.store.journal.path).map((line) => line.path)).toEqual(
    jobs.map((job) => job.outcome.path),
  );
});

test('a job that is recorded already is only removed', async () => {
  const folder = testFolder();
  const first = await recorderRig({ folder, finished: memoryFinishedJobs([finishedJob('a')]) });
  await first.recorder.drained();
  first.finished.jobs.push(finishedJob('a'), finishedJob('b'));
  await first.recorder.drained();
  expect(journalLines(first.store.journal.path).map((line) => line.path)).toEqual(['a', 'b']);
  expect(first.recorded.map((receipt) => receipt.path)).toEqual(['a', 'b']);
  expect(first.freed).toHaveLength(3);
});

test('the same (id, gen) twice in one batch becomes one line, the next generation another', async () => {
  const twice = { ...finishedJob('a'), jobId: 'other' };
  const rig = await recorderRig({
    finished: memoryFinishedJobs([finishedJob('a'), twice, finishedJob('a', { gen: 1 })]),
  });
  await rig.recorder.drained();
  expect(journalLines(rig.store.journal.path).map(({ path, gen }) => [path, gen])).toEqual([
    ['a', 0],
    ['a', 1],
  ]);
  expect(rig.finished.jobs).toEqual([]);
});

test('removal waits for the mutex of the source', async () => {
  const exclusive = createMutex();
  const admitted = Promise.withResolvers<void>();
  const admission = exclusive(() => admitted.promise);
  const rig = await recorderRig({ exclusive, finished: memoryFinishedJobs([finishedJob('a')]) });
  await vi.waitFor(() => expect(rig.store.ledger.find(jobFor('a').id)).not.toBeNull());
  expect(rig.finished.jobs).toHaveLength(1);
  admitted.resolve();
  await admission;
  await rig.recorder.drained();
  expect(rig.finished.jobs).toHaveLength(0);
});

test('receipts whose jobs Redis would not remove are announced once, when it does', async () => {
  const finished = memoryFinishedJobs([finishedJob('a')]);
  finished.failRemove = new Error('Connection is closed.');
  const rig = await recorderRig({ finished });
  await vi.waitFor(() => expect(rig.log.lines.map((line) => line.level)).toContain('warn'));
  expect(rig.store.ledger.find(jobFor('a').id)).toMatchObject({ status: 'uploaded' });
  expect(rig.recorded).toEqual([]);
  finished.failRemove = null;
  await rig.recorder.drained();
  expect(rig.recorded.map((receipt) => receipt.path)).toEqual(['a']);
  expect(journalLines(rig.store.journal.path)).toHaveLength(1);
});

test('a Redis that goes away is waited for and complained about once', async () => {
  const finished = memoryFinishedJobs([finishedJob('a')]);
  finished.failTake = new SlipwayError('redis_unreachable', { where: 'here', reason: 'ECONNREFUSED' });
  const rig = await recorderRig({ finished });
  await vi.waitFor(() => expect(finished.takes).toBeGreaterThan(3));
  expect(rig.recorder.state()).toEqual({ kind: 'recording' });
  expect(rig.log.lines.filter((line) => line.level === 'warn')).toHaveLength(1);
  finished.failTake = null;
  await rig.recorder.drained();
  expect(journalLines(rig.store.journal.path)).toHaveLength(1);
});

test('a full disk pauses recording loudly, once, and everything is recorded when there is room', async () => {
  const folder = testFolder();
  const log = rememberingLog();
  const store = await storeIn(folder, log);
  const disk = { full: true };
  const journal = {
    ...store.journal,
    async write(lines: readonly string[]) {
      if (disk.full) throw new SlipwayError('disk_full', { path: store.journal.path });
      return store.journal.write(lines);
    },
    writeNow: () => null,
  };
  const states: string[] = [];
  const recorded: string[] = [];
  const finished = memoryFinishedJobs([finishedJob('a')]);
  const recorder = await startRecorder({
    ledger: store.ledger,
    journal,
    finished,
    exclusive: createMutex(),
    onRecorded: (receipts) => recorded.push(...receipts.map((receipt) => receipt.path)),
    onState: (state) => states.push(state.kind),
    now: () => NOW_MS,
    log,
    timing: { pollMs: 20, spacingMs: 1, retryMs: 5, maxRetryMs: 20 },
  });
  await vi.waitFor(() => expect(finished.takes).toBeGreaterThan(3));
  expect(recorder.state()).toMatchObject({ kind: 'paused', error: { code: 'disk_full' }, sinceMs: NOW_MS });
  expect(log.lines.filter((line) => line.level === 'error')).toHaveLength(1);
  finished.jobs.push(finishedJob('b'));
  expect(recorded).toEqual([]);
  disk.full = false;
  await recorder.drained();
  expect(recorded).toEqual(['a', 'b']);
  await recorder.stop();
  expect(states).toEqual(['paused', 'recording', 'stopped']);
  await store.close();
});

test('a ledger that fails after the journal was written gets the lines later, and none is written twice', async () => {
  const folder = testFolder();
  const store = await storeIn(folder);
  const disk = { full: true };
  const ledger = {
    ...store.ledger,
    commit(...args: Parameters<typeof store.ledger.commit>) {
      if (disk.full) throw new SlipwayError('disk_full', { path: folder });
      return store.ledger.commit(...args);
    },
  };
  const recorded: string[] = [];
  const finished = memoryFinishedJobs([finishedJob('a'), finishedJob('b')]);
  const recorder = await startRecorder({
    ledger,
    journal: store.journal,
    finished,
    exclusive: createMutex(),
    onRecorded: (receipts) => recorded.push(...receipts.map((receipt) => receipt.path)),
    now: () => NOW_MS,
    log: rememberingLog(),
    timing: { pollMs: 20, spacingMs: 1, retryMs: 5, maxRetryMs: 20 },
  });
  await vi.waitFor(() => expect(recorder.state().kind).toBe('paused'));
  disk.full = false;
  await recorder.drained();
  expect(recorded).toEqual(['a', 'b']);
  expect(journalLines(store.journal.path)).toHaveLength(2);
  await recorder.stop();
  await store.close();
});

test('a journal that somebody else writes halts recording, and whoever waits is told', async () => {
  const rig = await recorderRig({ finished: memoryFinishedJobs([finishedJob('a')]) });
  await rig.recorder.drained();
  appendFileSync(rig.store.journal.path, 'from elsewhere\n');
  rig.finished.jobs.push(finishedJob('b'));
  await expect(rig.recorder.drained()).rejects.toMatchObject({ code: 'journal_changed' });
  expect(rig.recorder.state()).toMatchObject({ kind: 'halted' });
  await expect(rig.recorder.drained()).rejects.toMatchObject({ code: 'journal_changed' });
  expect(rig.finished.jobs).toHaveLength(1);
});

test('what a crash left between journal and ledger is known before recording starts', async () => {
  const folder = testFolder();
  const store = await storeIn(folder);
  await store.journal.append([lineOf('a')]);
  await store.close();
  const rig = await recorderRig({ folder, finished: memoryFinishedJobs([finishedJob('a')]) });
  expect(rig.store.ledger.find(jobFor('a').id)).toMatchObject({ gen: 0 });
  await rig.recorder.drained();
  expect(journalLines(join(folder, 'inbox.manifest.jsonl'))).toHaveLength(1);
  expect(rig.freed).toEqual([finishedJob('a').jobId]);
});

test('a listener that fails does not disturb recording', async () => {
  const rig = await recorderRig({
    finished: memoryFinishedJobs([finishedJob('a')]),
    onRecorded() {
      throw new Error('listener');
    },
  });
  await rig.recorder.drained();
  rig.finished.jobs.push(finishedJob('b'));
  await rig.recorder.drained();
  expect(journalLines(rig.store.journal.path)).toHaveLength(2);
});

test('stop ends although Redis does not answer, and what is recorded is still announced', async () => {
  const finished = memoryFinishedJobs([finishedJob('a')]);
  finished.remove = () => new Promise(() => {});
  const rig = await recorderRig({ finished });
  await vi.waitFor(() => expect(rig.store.ledger.find(jobFor('a').id)).not.toBeNull());
  await rig.recorder.stop();
  expect(rig.recorder.state()).toEqual({ kind: 'stopped' });
  expect(rig.recorded.map((receipt) => receipt.path)).toEqual(['a']);
});

test('stop is one, however often it is called, and lets waiters go', async () => {
  const finished = memoryFinishedJobs();
  finished.take = () => new Promise(() => {});
  const rig = await recorderRig({ finished });
  const waiting = rig.recorder.drained();
  await Promise.all([rig.recorder.stop(), rig.recorder.stop()]);
  await waiting;
  await rig.recorder.drained();
  expect(rig.states).toEqual(['stopped']);
});
