import { receivedQueue } from '../../domain/received-source.ts';
import type { UploadJob } from '../../domain/upload-job.ts';
import type { CarriedFile } from '../../queue/carrier.ts';
import type { FinishedJob } from '../../queue/job-results.ts';
import { openUploadQueue, type UploadQueue } from '../../queue/upload-queue.ts';

export interface ReceivedQueueOptions
  extends Pick<Parameters<typeof openUploadQueue>[0], 'connection' | 'prefix' | 'log' | 'now'> {
  /** Names. */
  readonly destinations: readonly string[];
  /** Where a file goes to; null: nobody knows it. */
  readonly destinationOf: (job: UploadJob) => string | null;
}

/** As a source's, but that every file is a job of its own. */
export interface ReceivedQueue extends Omit<UploadQueue, 'order' | 'add' | 'addSingle'> {
  /** Adds files in line; a taken id is a no-op. Rejects when Redis refuses them. */
  add(files: readonly CarriedFile[]): Promise<void>;
}

/** The queues of files that came in by HTTP, one for each destination, as if they were one. */
export function openReceivedQueue(options: ReceivedQueueOptions): ReceivedQueue {
  const { destinations, destinationOf, ...common } = options;
  const queues = new Map(
    destinations.map((destination) => [
      destination,
      openUploadQueue({ ...common, source: receivedQueue(destination), destination }),
    ]),
  );
  const all = [...queues.values()];
  /** Where what was taken, and is not removed yet, came from. */
  const takenFrom = new Map<string, UploadQueue>();

  return {
    async add(files) {
      const groups = Map.groupBy(files, ({ job }) => destinationOf(job) ?? '');
      for (const [destination, group] of groups) {
        const queue = queues.get(destination);
        await queue?.add(queue.order(group, 'backlog', true));
      }
    },

    async takeFinished(max) {
      const taken: FinishedJob[] = [];
      for (const queue of all) {
        if (taken.length >= max) break;
        const some = await queue.takeFinished(max - taken.length);
        for (const { jobId } of some) takenFrom.set(jobId, queue);
        taken.push(...some);
      }
      return taken;
    },

    async removeFinished(jobIds) {
      for (const [queue, group] of Map.groupBy(jobIds, (jobId) => takenFrom.get(jobId) ?? null)) {
        for (const one of queue === null ? all : [queue]) await one.removeFinished(group);
        for (const jobId of group) takenFrom.delete(jobId);
      }
    },

    async jobs() {
      const states = await Promise.all(all.map((queue) => queue.jobs()));
      return new Map(states.flatMap((one) => [...one]));
    },

    async remove(jobIds) {
      const held = await Promise.all(all.map((queue) => queue.remove(jobIds)));
      return held.flat();
    },

    async counts() {
      const sum = { waiting: 0, active: 0, delayed: 0, finished: 0, carriers: 0 };
      for (const counts of await Promise.all(all.map((queue) => queue.counts())))
        for (const state of ['waiting', 'active', 'delayed', 'finished'] as const)
          sum[state] += counts[state];
      return sum;
    },

    async oldestWaiting() {
      const times = await Promise.all(all.map((queue) => queue.oldestWaiting()));
      return times.filter((time) => time !== null).sort()[0] ?? null;
    },

    async close() {
      await Promise.all(all.map((queue) => queue.close()));
    },
  };
}
