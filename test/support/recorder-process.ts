/**
 * A recorder in a process of its own, to be killed between two steps. Finished jobs are files of a folder, which
 * outlive it as Redis would. Arguments: folder, the step to die after (or `none`), how often to pass it before.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../src/domain/log.ts';
import { createMutex } from '../../src/platform/mutex.ts';
import type { FinishedJob, FinishedJobs } from '../../src/record/finished-jobs.ts';
import { startRecorder } from '../../src/record/recorder.ts';
import { openSourceStore } from '../../src/record/source-store.ts';

const [folder = '', step = 'none', passes = '0'] = process.argv.slice(2);
const jobsFolder = join(folder, 'jobs');
const JOBS_PER_BATCH = 7;

const finished: FinishedJobs = {
  async take(max) {
    const names = readdirSync(jobsFolder).sort().slice(0, Math.min(max, JOBS_PER_BATCH));
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
const recorder = await startRecorder({
  ledger: store.ledger,
  journal: store.journal,
  finished,
  exclusive: createMutex(),
  onRecorded() {},
  now: () => Date.now(),
  log: silentLog,
  failpoint(reached) {
    if (reached !== step) return;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
    left -= 1;
  },
});
await recorder.drained();
await recorder.stop();
await store.close();
