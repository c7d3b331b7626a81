import { DelayedError, type Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { within } from '../platform/waiting/within.ts';
import { queueName } from '../redis/queue-key.ts';

/** A stalled delivery that never was one: the ledger decides whether it is still to be made. */
const MAX_STALLED_COUNT = 1_000_000;

/** @returns milliseconds after which to come again; null: done with, whatever came of it */
export type DeliveryHandler = (jobId: string, signal: AbortSignal) => Promise<number | null>;

/**
 * The deliveries of one source to one endpoint that are under way or due soon. Redis holds ids only (G5), and nothing
 * that the ledger does not know: whoever becomes the owner fills an empty queue.
 */
export interface DeliveryQueue {
  /** A taken id is a no-op. */
  add(jobs: readonly { readonly jobId: string; readonly delayMs: number }[]): Promise<void>;
  /** Every job there is, whatever its state. */
  jobIds(): Promise<Set<string>>;
  /** At most so many at once from now on; 0: none is begun. */
  limit(atOnce: number): void;
  /** Fires every signal. */
  abort(): void;
  active(): number;
  /** Never later than `timeoutMs`, Redis reachable or not. */
  close(timeoutMs: number): Promise<void>;
}

/** Opens it, empty. */
export async function openDeliveryQueue(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly endpoint: string;
  readonly concurrency: number;
  readonly handler: DeliveryHandler;
  readonly log: Log;
  readonly now: () => number;
}): Promise<DeliveryQueue> {
  const { connection, prefix, source, endpoint, handler, log, now } = options;
  const name = `${queueName(source)}.webhook.${encodeURIComponent(endpoint)}`;
  const queue = new Queue(name, {
    connection,
    prefix,
    streams: { events: { maxLen: 10 } },
    defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true, stackTraceLimit: 1 },
  });
  queue.on('error', (error) => log.debug({ endpoint, reason: reasonOf(error) }, 'delivery queue trouble'));
  // What an owner before us left may be locked for a while; the ledger knows all of it.
  await queue.obliterate({ force: true, count: 1_000 });

  const aborts = new Map<string, AbortController>();
  let paused = false;

  const processor = async (job: Job, token: string | undefined): Promise<void> => {
    const jobId = String(job.id);
    const controller = new AbortController();
    aborts.set(jobId, controller);
    try {
      // A blocked fetch is not cut short by pausing and may still bring one job.
      const againMs = await handler(jobId, controller.signal);
      if (againMs === null) return;
      await job.moveToDelayed(now() + againMs, token);
    } catch (error) {
      log.debug({ endpoint, jobId, reason: reasonOf(error) }, 'a delivery is left as it lies');
      return;
    } finally {
      aborts.delete(jobId);
    }
    throw new DelayedError();
  };

  const worker = new Worker(name, processor, {
    connection,
    prefix,
    concurrency: options.concurrency,
    maxStalledCount: MAX_STALLED_COUNT,
    drainDelay: 5,
  });
  worker.on('error', (error) => log.debug({ endpoint, reason: reasonOf(error) }, 'delivery worker trouble'));

  return {
    async add(jobs) {
      if (jobs.length === 0) return;
      await queue.addBulk(
        jobs.map(({ jobId, delayMs }) => ({
          name: 'deliver',
          data: { v: 1 },
          opts: delayMs > 0 ? { jobId, delay: Math.ceil(delayMs) } : { jobId },
        })),
      );
    },
    jobIds: async () => new Set(await queue.getRanges(['wait', 'active', 'delayed', 'prioritized'])),
    limit(atOnce) {
      const ignore = (): void => undefined;
      if (atOnce === 0) {
        if (!paused) worker.pause(true).catch(ignore);
        paused = true;
        return;
      }
      worker.concurrency = atOnce;
      if (paused) Promise.resolve(worker.resume()).catch(ignore);
      paused = false;
    },
    abort() {
      for (const controller of aborts.values()) controller.abort(new Error('Slipway is stopping'));
    },
    active: () => aborts.size,
    async close(timeoutMs) {
      await within(worker.close(), timeoutMs);
      await within(queue.close(), timeoutMs);
    },
  };
}
