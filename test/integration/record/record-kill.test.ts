import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSourceLedger } from '../../../src/ledger/store/source-store.ts';
import { finishedJob, journalLines, testFolder } from '../../support/record-rig.ts';

const PROCESS = join(import.meta.dirname, '../../support/recorder-process.ts');
const FILES = 40;

function folderWithJobs(files = FILES): string {
  const folder = testFolder();
  mkdirSync(join(folder, 'jobs'));
  for (let index = 0; index < files; index += 1) {
    const job = finishedJob(`${index}.pdf`);
    writeFileSync(join(folder, 'jobs', job.jobId), JSON.stringify(job));
  }
  return folder;
}

/** @returns how the process ended */
function record(folder: string, step = 'none', passes = 0, jobsPerBatch = 7): string {
  const args = [PROCESS, folder, step, String(passes), String(jobsPerBatch)];
  const run = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return run.signal ?? `${run.status}${run.stderr}`;
}

function expectEachOnce(folder: string, files = FILES): void {
  const ids = journalLines(join(folder, 'inbox.manifest.jsonl')).map(({ id, gen }) => `${id}-${gen}`);
  expect(ids).toHaveLength(files);
  expect(new Set(ids).size).toBe(files);
  expect(readdirSync(join(folder, 'jobs'))).toEqual([]);
}

test.each(['taken', 'journaled', 'committed', 'removed', 'announced'])(
  'an owner killed again and again once a batch is %s records every file exactly once',
  async (step) => {
    const folder = folderWithJobs();
    for (const passes of [0, 1, 0]) expect(record(folder, step, passes)).toBe('SIGKILL');
    expect(record(folder)).toBe('0');
    expectEachOnce(folder);
    const ledger = readSourceLedger(join(folder, 'data'), 'inbox');
    expect(ledger?.counts().total).toEqual({ uploaded: FILES, failed: 0, skipped: 0 });
    await ledger?.close();
  },
);

test('an owner killed in the middle of an append leaves half a line, and records every file exactly once', () => {
  const folder = folderWithJobs();
  expect(record(folder, 'removed', 2)).toBe('SIGKILL');
  appendFileSync(join(folder, 'inbox.manifest.jsonl'), '{"v":1,"id":"f0123');
  expect(record(folder)).toBe('0');
  expectEachOnce(folder);
});

test('an owner killed between two transactions of one batch records every file exactly once', async () => {
  const files = 450;
  const folder = folderWithJobs(files);
  expect(record(folder, 'part', 0, files)).toBe('SIGKILL');
  // The journal has all of the batch, the ledger a part of it.
  expect(journalLines(join(folder, 'inbox.manifest.jsonl'))).toHaveLength(files);
  const before = readSourceLedger(join(folder, 'data'), 'inbox');
  expect(before?.counts().total.uploaded).toBeGreaterThan(0);
  expect(before?.counts().total.uploaded).toBeLessThan(files);
  await before?.close();
  expect(record(folder)).toBe('0');
  expectEachOnce(folder, files);
  const ledger = readSourceLedger(join(folder, 'data'), 'inbox');
  expect(ledger?.counts().total).toEqual({ uploaded: files, failed: 0, skipped: 0 });
  await ledger?.close();
});
