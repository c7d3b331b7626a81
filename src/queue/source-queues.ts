import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { type QueueKind, queueName } from '../redis/queue-key.ts';

/** Kept with each job, and read with each: only what differs from BullMQ's defaults (finished jobs stay by default). */
export const JOB_OPTIONS = { attempts: 1, stackTraceLimit: 1 };

/** The three queues of a source. */
export interface SourceQueues extends Readonly<Record<QueueKind, Queue>> {
  readonly connection: Redis;
  close(): Promise<void>;
}

/**
 * @param options.connection shared; the caller closes it
 * @param options.looks only looks: nothing of the queues is written
 * @param options.onError whatever is wrong with the connection; the call itself fails of it
 */
export function openSourceQueues(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly looks?: boolean;
  readonly onError?: (error: Error) => void;
}): SourceQueues {
  const { connection, prefix, source, looks = false, onError = () => undefined } = options;
  const open = (kind: QueueKind): Queue =>
    new Queue(queueName(source, kind), {
      connection,
      prefix,
      skipMetasUpdate: looks,
      // Nobody reads the event streams, and every outcome is copied into them.
      streams: { events: { maxLen: 10 } },
      defaultJobOptions: JOB_OPTIONS,
    }).on('error', onError);
  const queues = { live: open('live'), backlog: open('backlog'), carriers: open('carriers') };
  return {
    ...queues,
    connection,
    async close() {
      await Promise.all(Object.values(queues).map((queue) => queue.close()));
    },
  };
}
