import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Outcome } from '../domain/receipt.ts';
import { type UploadJob, versionIdOf } from '../domain/upload-job.ts';
import { queueName } from '../redis/queue-key.ts';
import { redisScript } from '../redis/redis-script.ts';
import { ADD_MANY_LUA } from './bullmq-layout/add-many-script.ts';
import { REMOVE_FINISHED_LUA, TAKE_FINISHED_LUA } from './bullmq-layout/finished-scripts.ts';
import { decodeJob, decodeOutcome, outcomeOfFailedJob } from './codec.ts';
import {
  jobCounts,
  jobStates,
  oldestWaiting,
  type QueueCounts,
  type QueuedState,
  removeJobs,
} from './job-list.ts';

/** Larger ones only keep Redis from others for longer. */
const ADD_CHUNK = 100;
/** Kept with each job, and read with each: only what differs from BullMQ's defaults (finished jobs stay by default). */
const JOB_OPTIONS = { attempts: 1, stackTraceLimit: 1 };
const LINE_OPTIONS = JSON.stringify(JOB_OPTIONS);
const AHEAD_OPTIONS = JSON.stringify({ ...JOB_OPTIONS, lifo: true });

const addMany = redisScript(ADD_MANY_LUA);
const takeFinished = redisScript(TAKE_FINISHED_LUA);
const removeFinished = redisScript(REMOVE_FINISHED_LUA);

export interface FinishedJob {
  readonly jobId: string;
  readonly outcome: Outcome;
}

/** The owner's end of one source's queue: what goes in, and the finished jobs that come out (contract §4). */
export interface UploadQueue {
  /**
   * Adds jobs, in line or, in their order, ahead of all that waits; a taken id is a no-op. Rejects when Redis refuses
   * them (its memory or its disk is full).
   */
  add(
    jobs: readonly { readonly jobId: string; readonly job: UploadJob }[],
    where?: 'in line' | 'ahead',
  ): Promise<void>;
  /** Oldest finished jobs; they stay until removed. */
  takeFinished(max: number): Promise<FinishedJob[]>;
  /** Frees the ids of recorded jobs. */
  removeFinished(jobIds: readonly string[]): Promise<void>;
  /** Every job in Redis and its state. */
  jobs(): Promise<Map<string, QueuedState>>;
  /**
   * Removes jobs wherever they stand, and what is left of those that stand in no list any more.
   * @returns those that a worker holds: they stay
   */
  remove(jobIds: readonly string[]): Promise<string[]>;
  counts(): Promise<QueueCounts>;
  /** ISO time the oldest waiting job was queued; null when none waits. */
  oldestWaiting(): Promise<string | null>;
  close(): Promise<void>;
}

type FinishedRow = [
  id: string,
  state: string,
  returned: string | null,
  reason: string | null,
  data: string | null,
  timestamp: string | null,
];

// Over 80 lines: the commands of one queue over the same keys; none of them is longer than a dozen lines.
/**
 * Opens the queue of one source.
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
  const { connection, prefix, source, destination, log, now } = options;
  const queue = new Queue(queueName(source), {
    connection,
    prefix,
    // Nobody reads the event stream, and every outcome is copied into it.
    streams: { events: { maxLen: 10 } },
    defaultJobOptions: JOB_OPTIONS,
  });
  queue.on('error', (error) => log.debug({ source, reason: reasonOf(error) }, 'queue connection trouble'));
  const jobKeyPrefix = queue.toKey('');
  const addKeys = ['wait', 'meta', 'active', 'marker'].map((key) => queue.toKey(key));
  const finishedKeys = [queue.toKey('completed'), queue.toKey('failed')] as const;

  /** Null when nothing is left of the job. One job that cannot be read must not hold up all others (G7). */
  function outcomeOf([jobId, state, returned, reason, data, timestamp]: FinishedRow): FinishedJob | null {
    if (data === null) return null;
    let why = reason ?? 'no reason given';
    if (state === 'completed' && returned !== null) {
      try {
        return { jobId, outcome: decodeOutcome(returned) };
      } catch (error) {
        why = reasonOf(error);
      }
    }
    try {
      const job = decodeJob(JSON.parse(data));
      log.error({ source, path: job.path, reason: why }, 'a job failed unexpectedly');
      const id = versionIdOf(jobId, job.gen);
      const facts = { id, destination, reason: why, queuedAtMs: Number(timestamp), nowMs: now() };
      return { jobId, outcome: outcomeOfFailedJob(job, facts) };
    } catch (error) {
      log.error({ source, jobId, reason: reasonOf(error) }, 'a job cannot be read; its file is queued again');
      return null;
    }
  }

  const self: UploadQueue = {
    async add(jobs, where = 'in line') {
      // What is put before the others last is taken first.
      const ordered = where === 'ahead' ? jobs.toReversed() : jobs;
      const options = where === 'ahead' ? AHEAD_OPTIONS : LINE_OPTIONS;
      for (let start = 0; start < ordered.length; start += ADD_CHUNK) {
        const chunk = ordered.slice(start, start + ADD_CHUNK);
        const settings = [jobKeyPrefix, Date.now(), 'upload', where === 'ahead' ? 'RPUSH' : 'LPUSH', options];
        const added = chunk.flatMap(({ jobId, job }) => [jobId, JSON.stringify(job)]);
        await addMany(connection, addKeys, [...settings, ...added]);
      }
    },

    async takeFinished(max) {
      const rows = (await takeFinished(connection, finishedKeys, [jobKeyPrefix, max])) as FinishedRow[];
      const finished: FinishedJob[] = [];
      const orphans: string[] = [];
      for (const row of rows) {
        const job = outcomeOf(row);
        if (job === null) orphans.push(row[0]);
        else finished.push(job);
      }
      // What says nothing is dropped: disk and ledger decide, and reconcile queues the file again.
      if (orphans.length > 0) await self.removeFinished(orphans);
      return finished;
    },

    async removeFinished(jobIds) {
      if (jobIds.length > 0) await removeFinished(connection, finishedKeys, [jobKeyPrefix, ...jobIds]);
    },

    jobs: async () => await jobStates(queue),
    remove: async (jobIds) => await removeJobs(queue, jobIds),
    counts: async () => await jobCounts(queue),
    oldestWaiting: async () => await oldestWaiting(queue),

    async close() {
      await queue.close();
    },
  };
  return self;
}
