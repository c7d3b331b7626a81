import type { FinishedJob, FinishedJobs } from '../../src/record/finished-jobs.ts';

/** Finished jobs in memory, with a Redis that can be taken away. */
export interface MemoryFinishedJobs extends FinishedJobs {
  readonly jobs: FinishedJob[];
  failTake: Error | null;
  failRemove: Error | null;
  takes: number;
}

export function memoryFinishedJobs(jobs: FinishedJob[] = []): MemoryFinishedJobs {
  return {
    jobs,
    failTake: null,
    failRemove: null,
    takes: 0,
    async take(max) {
      this.takes += 1;
      if (this.failTake !== null) throw this.failTake;
      return this.jobs.slice(0, max);
    },
    async remove(jobIds) {
      if (this.failRemove !== null) throw this.failRemove;
      const gone = new Set(jobIds);
      const rest = this.jobs.filter((job) => !gone.has(job.jobId));
      this.jobs.splice(0, this.jobs.length, ...rest);
    },
  };
}
