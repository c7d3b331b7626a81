import type { Redis } from 'ioredis';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Lane } from '../domain/lane.ts';
import type { Log } from '../domain/log.ts';
import { type CarriedFile, inCarriers, isSmall, newCarrier, newCarrierId } from './carrier.ts';
import {
  filePlaces,
  type JobPlace,
  jobCounts,
  oldestWaiting,
  type QueueCounts,
  removeJobs,
} from './job-list.ts';
import { type FinishedJob, readFinished } from './job-results.ts';
import type { SingleTimes } from './own-books.ts';
import { JOB_OPTIONS, openSourceQueues } from './source-queues.ts';

/** Larger ones only keep Redis from others for longer. */
const ADD_CHUNK = 100;
/** Of live files that wait in line fewer go as jobs of their own, which nobody has to wait for. */
const BURST_FILES = 8;

/** How files go into the queues: some as jobs of their own, some in carriers. */
export interface QueueOrder {
  readonly ahead: readonly CarriedFile[];
  readonly live: readonly CarriedFile[];
  readonly backlog: readonly CarriedFile[];
  /** Each with the id it will have. */
  readonly carriers: readonly { readonly id: string; readonly files: readonly CarriedFile[] }[];
}

/** The owner's end of one source's queues: what goes in, and the finished jobs that come out (contract §4). */
export interface UploadQueue {
  /**
   * Which way files go: what goes ahead of the line and what is large as jobs of their own, small ones in carriers,
   * where nobody else serves the source.
   * @param shared other processes serve it too
   */
  order(files: readonly CarriedFile[], lane: Lane, shared: boolean): QueueOrder;
  /** Adds files; a taken id is a no-op. Rejects when Redis refuses any (its memory or its disk is full). */
  add(order: QueueOrder): Promise<void>;
  /** Adds a file that leaves its carrier. */
  addSingle(file: CarriedFile, kind: 'live' | 'backlog', when: SingleTimes): Promise<void>;
  /** Oldest finished jobs; they stay until removed. */
  takeFinished(max: number): Promise<FinishedJob[]>;
  /** Frees the ids of recorded jobs. */
  removeFinished(jobIds: readonly string[]): Promise<void>;
  /** Every file in Redis, and where its job stands. */
  jobs(): Promise<Map<string, JobPlace>>;
  /**
   * Removes jobs wherever they stand, and what is left of those that stand in no list any more (rule orphan).
   * @param carriers whole, with all that travels in them
   * @returns those that a worker holds: they stay
   */
  remove(jobIds: readonly string[], carriers?: readonly string[]): Promise<string[]>;
  counts(): Promise<QueueCounts>;
  /** ISO time the oldest waiting job was queued; null when none waits. */
  oldestWaiting(): Promise<string | null>;
  close(): Promise<void>;
}

// Over 80 lines: the commands of one source over the same queues; none of them is longer than a dozen lines.
/**
 * Opens the queues of one source.
 * @param connection shared; the caller closes it
 */
export function openUploadQueue(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly destination: string;
  readonly log: Log;
  readonly now: () => number;
}): UploadQueue {
  const { source, log } = options;
  const queues = openSourceQueues({
    ...options,
    onError: (error) => log.debug({ source, reason: reasonOf(error) }, 'queue connection trouble'),
  });

  /** Which queue the finished jobs stand in that were taken last. */
  let taken: ReadonlyMap<string, 'live' | 'backlog'> = new Map();

  async function addAll(
    kind: 'live' | 'backlog' | 'carriers',
    jobs: readonly {
      readonly name: string;
      readonly data: object;
      readonly opts: { readonly jobId: string };
    }[],
  ): Promise<void> {
    for (let start = 0; start < jobs.length; start += ADD_CHUNK) {
      const added = await queues[kind].addBulk(jobs.slice(start, start + ADD_CHUNK));
      // What a script refuses comes back as a number in the place of the id.
      const refused = added.find(({ id }) => typeof id !== 'string');
      if (refused !== undefined)
        throw new SlipwayError('internal', { reason: `the queue refused a job (${String(refused.id)})` });
    }
  }

  return {
    order(files, lane, shared) {
      const none = { ahead: [], live: [], backlog: [], carriers: [] };
      if (lane === 'front') return { ...none, ahead: files };
      if (lane === 'live' && files.length < BURST_FILES) return { ...none, live: files };
      if (shared) return lane === 'live' ? { ...none, live: files } : { ...none, backlog: files };
      const carriers = inCarriers(files.filter(({ job }) => isSmall(job)));
      return {
        ...none,
        live: files.filter(({ job }) => !isSmall(job)),
        carriers: carriers.map((some) => ({ id: newCarrierId(), files: some })),
      };
    },

    async add({ ahead, live, backlog, carriers }) {
      // What is put before the others last is taken first.
      await addAll(
        'live',
        ahead.toReversed().map((file) => single(file, { lifo: true })),
      );
      await addAll(
        'live',
        live.map((file) => single(file)),
      );
      await addAll(
        'backlog',
        backlog.map((file) => single(file)),
      );
      await addAll(
        'carriers',
        carriers.map(({ id, files }) => newCarrier(id, files)),
      );
    },

    async addSingle(file, kind, { delayMs, queuedAtMs }) {
      // BullMQ counts a delay from the job's time, which is the carrier's here.
      const delay = delayMs > 0 ? { delay: delayMs + Math.max(0, options.now() - queuedAtMs) } : {};
      await addAll(kind, [single(file, { timestamp: queuedAtMs, ...delay })]);
    },

    async takeFinished(max) {
      const { jobs, empty } = await readFinished(queues, options, max);
      if (empty.length > 0) await removeSingles(empty);
      taken = new Map(jobs.map(({ jobId, kind }) => [jobId, kind]));
      return [...jobs];
    },

    async removeFinished(jobIds) {
      await removeSingles(jobIds);
    },

    jobs: async () => await filePlaces(queues),

    async remove(jobIds, carriers = []) {
      return [...(await removeSingles(jobIds)), ...(await removeJobs(queues.carriers, carriers))];
    },

    counts: async () => await jobCounts(queues),
    oldestWaiting: async () => await oldestWaiting(queues),
    close: queues.close,
  };

  /** Where nobody knows which of the two queues a job is in, it is looked for in both. */
  async function removeSingles(jobIds: readonly string[]): Promise<string[]> {
    const [inLive, inBacklog] = await Promise.all([
      removeJobs(
        queues.live,
        jobIds.filter((jobId) => taken.get(jobId) !== 'backlog'),
      ),
      removeJobs(
        queues.backlog,
        jobIds.filter((jobId) => taken.get(jobId) !== 'live'),
      ),
    ]);
    return [...new Set([...inLive, ...inBacklog])];
  }
}

function single({ jobId, job }: CarriedFile, how: object = {}) {
  return { name: 'upload', data: job, opts: { ...JOB_OPTIONS, ...how, jobId } };
}
