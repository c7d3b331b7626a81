import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createMutex } from '../../../src/platform/waiting/mutex.ts';
import { startRecorder } from '../../../src/record/recorder.ts';
import {
  finishedJob,
  journalLines,
  memoryFinishedJobs,
  NOW_MS,
  rememberingLog,
  storeIn,
  testFolder,
} from '../../support/record-rig.ts';

/** A real disk of a few megabytes: needs the right to mount (root on Linux). null where that is not to be had. */
function tinyDisk(megabytes: number): string | null {
  const folder = join(testFolder(), 'disk');
  mkdirSync(folder);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  if (mounted.status !== 0) return null;
  onTestFinished(() => {
    spawnSync('umount', ['-l', folder]);
  });
  return folder;
}

const canMount = ((): boolean =>
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['-m', 'true']).status === 0)();

test.skipIf(!canMount)(
  'a disk that really fills up pauses recording, and nothing is lost or doubled when there is room',
  async (context) => {
    const disk = tinyDisk(4);
    if (disk === null) return context.skip();
    const log = rememberingLog();
    const store = await storeIn(disk, log);
    onTestFinished(() => store.close());
    const jobs = Array.from({ length: 6_000 }, (_, index) => finishedJob(`${index % 50}/${index}.pdf`));
    const finished = memoryFinishedJobs([...jobs]);
    const ballast = join(disk, 'ballast');
    writeFileSync(ballast, Buffer.alloc(1_500_000));
    const recorded = new Set<string>();
    const recorder = await startRecorder({
      ledger: store.ledger,
      journal: store.journal,
      finished,
      exclusive: createMutex(),
      onRecorded: (receipts) => {
        for (const receipt of receipts) recorded.add(receipt.path);
      },
      now: () => NOW_MS,
      log,
      timing: { pollMs: 20, spacingMs: 1, retryMs: 5, maxRetryMs: 20 },
    });
    onTestFinished(() => recorder.stop());
    await vi.waitFor(
      () => expect(recorder.state()).toMatchObject({ kind: 'paused', error: { code: 'disk_full' } }),
      20_000,
    );
    expect(recorded.size).toBeLessThan(jobs.length);
    const waiting = finished.jobs.length;
    expect(waiting).toBeGreaterThan(0);

    spawnSync('mount', ['-o', 'remount,size=64m', disk]);
    rmSync(ballast);
    await recorder.drained();
    expect(recorder.state()).toEqual({ kind: 'recording' });
    expect(recorded.size).toBe(jobs.length);
    const ids = journalLines(store.journal.path).map((line) => line.id);
    expect(ids).toHaveLength(jobs.length);
    expect(new Set(ids).size).toBe(jobs.length);
    expect(store.ledger.counts().total.uploaded).toBe(jobs.length);
  },
);
