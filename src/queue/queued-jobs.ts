import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { bytesOf, type PathName } from '../domain/path-bytes.ts';
import type { UploadJob } from '../domain/upload-job.ts';
import { type CarriedFile, decodeCarrier } from './carrier.ts';
import { decodeJob } from './codec.ts';
import { jobStates, type QueuedState, readJobs } from './job-list.ts';
import { openSourceQueues } from './source-queues.ts';

/** A job of one file as it stands in Redis now. */
export interface QueuedFile {
  readonly jobId: string;
  readonly state: QueuedState;
  readonly job: UploadJob;
  readonly queuedAtMs: number;
  /** When a delayed one comes up again; null otherwise. */
  readonly dueAtMs: number | null;
}

/** One round trip each. */
const CHUNK = 500;

/**
 * Finds the jobs of one path among those of a source, also in carriers; changes nothing. At most `queue.maxPending`
 * files are looked at.
 * @param connection shared; the caller closes it
 */
export async function findQueued(
  options: { readonly connection: Redis; readonly prefix: string; readonly source: string },
  name: PathName,
): Promise<QueuedFile[]> {
  const queues = openSourceQueues({ ...options, looks: true });
  const wanted = bytesOf(name);
  try {
    const found: QueuedFile[] = [];
    // A file that leaves its carrier while this looks is a job of its own by then.
    for (const queue of [queues.carriers, queues.backlog, queues.live]) {
      const filesOf = queue === queues.carriers ? carried : single;
      for await (const file of filesIn(queue, options.connection, filesOf))
        if (bytesOf(file.job).equals(wanted)) found.push(await withDueTime(file, queue, options.connection));
    }
    return [...new Map(found.map((file) => [file.jobId, file])).values()];
  } finally {
    await queues.close();
  }
}

interface FoundFile extends Omit<QueuedFile, 'dueAtMs'> {
  /** The BullMQ job that it is, or travels in. */
  readonly in: string;
}

type FilesOf = (jobId: string, data: unknown) => readonly CarriedFile[];

async function* filesIn(queue: Queue, connection: Redis, filesOf: FilesOf): AsyncGenerator<FoundFile> {
  const states = [...(await jobStates(queue))];
  for (let start = 0; start < states.length; start += CHUNK) {
    const chunk = states.slice(start, start + CHUNK);
    const ids = chunk.map(([jobId]) => jobId);
    const jobs = await readJobs(queue, connection, ids);
    for (const [index, { data, queuedAtMs }] of jobs.entries()) {
      const [id, state] = chunk[index] ?? [];
      if (id === undefined || state === undefined) continue;
      for (const { jobId, job } of filesOf(id, data)) yield { jobId, job, state, queuedAtMs, in: id };
    }
  }
}

const carried: FilesOf = (_, data) => decodeCarrier(data) ?? [];

/** None: it left Redis while this looked, or another version of Slipway wrote it. */
const single: FilesOf = (jobId, data) => {
  try {
    return [{ jobId, job: decodeJob(data) }];
  } catch {
    return [];
  }
};

async function withDueTime(
  { in: id, ...file }: FoundFile,
  queue: Queue,
  connection: Redis,
): Promise<QueuedFile> {
  if (file.state !== 'delayed') return { ...file, dueAtMs: null };
  // BullMQ's score of a delayed job: milliseconds in the upper bits, its order among equals in the lower twelve.
  const score = await connection.zscore(queue.toKey('delayed'), id);
  return { ...file, dueAtMs: score === null ? null : Math.floor(Number(score) / 0x1000) };
}
