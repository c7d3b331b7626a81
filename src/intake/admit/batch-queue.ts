import type { Log } from '../../domain/log.ts';
import { createMutex } from '../../platform/waiting/mutex.ts';
import type { AdmissionPorts, AdmittedJob, Reservation } from '../ports.ts';
import { chunkSizeOf, untilQueued } from './queue-chunks.ts';

export interface BatchQueueOptions {
  readonly source: string;
  /** `queue.maxPending`. */
  readonly maxPending: number;
  /** Whether it is to be sent still: somebody may have recorded it meanwhile. */
  readonly isNeeded: (job: AdmittedJob) => boolean;
  /** Told of those that are not sent after all. */
  readonly needless: (jobIds: readonly string[]) => Promise<void>;
  readonly log: Log;
  readonly random: () => number;
}

/** The way of a batch's jobs into the queue, with back-pressure (G3). */
export interface BatchQueue {
  /** Resolves when they are in the queue; rejects only when the signal fires. */
  add(jobs: readonly AdmittedJob[], signal: AbortSignal): Promise<void>;
}

/** Nothing on its way. */
export function createBatchQueue(options: BatchQueueOptions, ports: AdmissionPorts): BatchQueue {
  const { source, isNeeded, needless, log, random } = options;
  const chunkSize = chunkSizeOf(options.maxPending);
  /** One at a time waits for room: two would both be told that there is some. */
  const inTurn = createMutex();

  async function admit(jobs: readonly AdmittedJob[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const room = await ports.waitForRoom(jobs.length, 'backlog', signal);
    try {
      await admitInto(room, jobs);
    } finally {
      room.free();
    }
  }

  async function admitInto({ place }: Reservation, jobs: readonly AdmittedJob[]): Promise<void> {
    const attached = await ports.attached?.(jobs.map(({ job }) => job));
    const withMeta = jobs.map((job, index) => ({ ...job, meta: attached?.[index] }));
    const left = await ports.exclusive(async () => {
      // Asked again: somebody may have queued or recorded one while this waited.
      const needed = withMeta.filter((job) => isNeeded(job) && !ports.isPending(job.jobId));
      if (needed.length > 0) await ports.enqueue(needed, place);
      return jobs.filter((job) => !isNeeded(job));
    });
    await needless(left.map(({ jobId }) => jobId));
  }

  return {
    async add(jobs, signal) {
      for (let start = 0; start < jobs.length; start += chunkSize) {
        const chunk = jobs.slice(start, start + chunkSize);
        await inTurn(() => untilQueued(() => admit(chunk, signal), { source, log, random }, signal));
      }
    },
  };
}
