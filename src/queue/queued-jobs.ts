import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { bytesOf, type PathName } from '../domain/path-bytes.ts';
import type { UploadJob } from '../domain/upload-job.ts';
import { queueName } from '../redis/queue-key.ts';
import { decodeJob } from './codec.ts';
import { jobStates, type QueuedState } from './job-list.ts';

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
 * Finds the jobs of one path among those of a source; changes nothing. At most `queue.maxPending` jobs are looked at.
 * @param connection shared; the caller closes it
 */
export async function findQueued(
  options: { readonly connection: Redis; readonly prefix: string; readonly source: string },
  name: PathName,
): Promise<QueuedFile[]> {
  const { connection, prefix, source } = options;
  const queue = new Queue(queueName(source), { connection, prefix, skipMetasUpdate: true });
  queue.on('error', () => undefined);
  const wanted = bytesOf(name);
  const found: QueuedFile[] = [];
  try {
    const states = [...(await jobStates(queue))];
    for (let start = 0; start < states.length; start += CHUNK) {
      const chunk = states.slice(start, start + CHUNK);
      const pipeline = connection.pipeline();
      for (const [jobId] of chunk) pipeline.hmget(queue.toKey(jobId), 'data', 'timestamp');
      for (const [index, [, fields]] of ((await pipeline.exec()) ?? []).entries()) {
        const job = jobIn(fields);
        const [jobId, state] = chunk[index] ?? [];
        if (job === null || jobId === undefined || state === undefined || !bytesOf(job).equals(wanted))
          continue;
        const queuedAtMs = Number((fields as (string | null)[])[1]);
        const dueAtMs = state === 'delayed' ? await dueAt(connection, queue.toKey('delayed'), jobId) : null;
        found.push({ jobId, state, job, queuedAtMs, dueAtMs });
      }
    }
  } finally {
    await queue.close();
  }
  return found;
}

/** null: it left Redis while this looked, or another version of Slipway wrote it. */
function jobIn(fields: unknown): UploadJob | null {
  const [data] = Array.isArray(fields) ? (fields as (string | null)[]) : [];
  if (data === undefined || data === null) return null;
  try {
    return decodeJob(JSON.parse(data));
  } catch {
    return null;
  }
}

/** BullMQ's score of a delayed job: milliseconds in the upper bits, its order among equals in the lower twelve. */
async function dueAt(connection: Redis, delayedKey: string, jobId: string): Promise<number | null> {
  const score = await connection.zscore(delayedKey, jobId);
  return score === null ? null : Math.floor(Number(score) / 0x1000);
}
