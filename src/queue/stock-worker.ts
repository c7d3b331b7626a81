import { type Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { type QueueKind, queueName } from '../redis/queue-key.ts';

const SECOND = 1000;
/** A killed worker's jobs run elsewhere after at most lockDuration + stalledInterval = 13 s (target: 15 s). */
export const LOCK_DURATION_MS = 8 * SECOND;
const STALLED_INTERVAL_MS = 5 * SECOND;
/** BullMQ fails a job past this count without calling us; a job that keeps killing its worker is ours to judge. */
const MAX_STALLED_COUNT = 1_000_000;

export interface WorkerPlace {
  /** Shared for commands; BullMQ makes its own for the blocking read. */
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly log: Log;
}

/**
 * BullMQ's worker on one of a source's queues.
 * @param options.concurrency most jobs in hand at once
 * @param options.keepsResults whether finished jobs stay, for the owner to read; otherwise they go at once, and so do those
 *   that BullMQ fails because their end was refused
 * @param processor what it throws but for BullMQ's own errors would end the job as failed
 */
export function openStockWorker(
  kind: QueueKind,
  { connection, prefix, source, log }: WorkerPlace,
  options: { readonly concurrency: number; readonly keepsResults: boolean },
  processor: (job: Job, token: string | undefined) => Promise<unknown>,
): Worker {
  const worker = new Worker(queueName(source, kind), processor, {
    ...{ connection, prefix, concurrency: options.concurrency },
    lockDuration: LOCK_DURATION_MS,
    stalledInterval: STALLED_INTERVAL_MS,
    maxStalledCount: MAX_STALLED_COUNT,
    drainDelay: 5,
    ...(options.keepsResults ? {} : { removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } }),
  });
  worker.on('error', (error) => log.debug({ source, reason: reasonOf(error) }, 'worker connection trouble'));
  return worker;
}
