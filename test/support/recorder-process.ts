/**
 * A recorder in a process of its own, to be killed between two steps. Finished jobs are files of a folder, which
 * outlive it as Redis would. Arguments: folder, the step to die after (or `none`), how often to pass it before, jobs in a
 * batch. The step `part` is one of the transactions that a batch is committed in.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../src/domain/log.ts';
import { openSourceStore } from '../../src/ledger/store/source-store.ts';
import { createMutex } from '../../src/platform/waiting/mutex.ts';
import type { FinishedJob, FinishedJobs } from '../../src/record/finished-jobs.ts';
import { startRecorder } from '../../src/record/recorder.ts';

const [folder = '', step = 'none', passes = '0', jobsPerBatch = '7'] = process.argv.slice(2);
const jobsFolder = join(folder, 'jobs');

const finished: FinishedJobs = {
  async take(max) {
    const names = readdirSync(jobsFolder)
      .sort()
      .slice(0, Math.min(max, Number(jobsPerBatch)));
    return names.map((name) => JSON.parse(readFileSync(join(jobsFolder, name), 'utf8')) as FinishedJob);
  },
  async remove(jobIds) {
    for (const jobId of jobIds) rmSync(join(jobsFolder, jobId), { force: true });
  },
};

let left = Number(passes);
const store = await openSourceStore({
  dataDir: join(folder, 'data'),
  source: 'inbox',
  manifest: join(folder, 'inbox.manifest.json'),
  log: silentLog,
});
const ledger = {
  ...store.ledger,
  commit(...told: Parameters<typeof store.ledger.commit>): number {
    const added = store.ledger.commit(...told);
    if (added > 0) dieAt('part');
    return added;
  },
};
const recorder = await startRecorder({
  ledger,
  journal: store.journal,
  finished,
  exclusive: createMutex(),
  onRecorded() {},
  now: () => Date.now(),
  log: silentLog,
  failpoint: dieAt,
});
await recorder.drained();
await recorder.stop();
await store.close();

function dieAt(reached: string): void {
  if (reached !== step) return;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
  left -= 1;
}
