import type { Log } from '../domain/log.ts';
import type { UploadHandler } from '../domain/upload-step.ts';
import { within } from '../platform/waiting/within.ts';
import { openCarrierRuns } from './carrier-runs.ts';
import { keptResults } from './kept-results.ts';
import type { OwnBooks } from './own-books.ts';
import { openSingleRuns, type Runs, type SingleRunsOptions } from './single-runs.ts';
import type { WorkerPlace } from './stock-worker.ts';

/** The worker's end of one source's queues. */
export interface UploadWorker {
  readonly source: string;
  /** Files in hand, those that wait for a permit included. */
  active(): number;
  /** Stops taking jobs; those in hand go on. Not the queue's own flag, which would outlive this process. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Fires the signal of every file in hand: each goes back. */
  abort(reason: string): void;
  /** Never later than `timeoutMs`, Redis reachable or not: BullMQ's own close waits for ever without it. */
  close(timeoutMs: number): Promise<void>;
}

/** Most of their files wait for a permit, or to be durable: so many carriers keep every permit in use. */
const CARRIERS_PER_PERMIT = 0.5;
const LEAST_CARRIERS = 8;
const MOST_CARRIERS = 64;

/**
 * Opens workers on the queues of one source: of files that are jobs of their own, in any process; of carriers too in the
 * owner's.
 * @param options.concurrency most single files in hand at once, of each queue; permits decide how many are sent
 * @param options.own null: the owner is another process
 */
export function openUploadWorker(
  options: Omit<SingleRunsOptions, 'results' | 'log'> & {
    readonly handler: UploadHandler;
    readonly own: OwnBooks | null;
    readonly log: Log;
  },
): UploadWorker {
  const { connection, prefix, source, concurrency, handler, own } = options;
  const results = keptResults(connection, prefix, source);
  const all: Runs[] = (['live', 'backlog'] as const).map((kind) =>
    openSingleRuns(kind, { ...options, results }),
  );
  if (own !== null) {
    const carriers = Math.ceil(concurrency * CARRIERS_PER_PERMIT);
    const most = Math.min(MOST_CARRIERS, Math.max(LEAST_CARRIERS, carriers));
    all.push(openCarrierRuns({ ...options, handler, own, results, concurrency: most }));
  }
  return workerOver(source, all);
}

/** For an owner whose process uploads nothing: what still travels in carriers becomes jobs that other processes take. */
export function openCarrierSplitter(place: WorkerPlace, own: OwnBooks): UploadWorker {
  const results = keptResults(place.connection, place.prefix, place.source);
  const runs = openCarrierRuns({ ...place, handler: null, own, results, concurrency: 1 });
  return workerOver(place.source, [runs]);
}

function workerOver(source: string, all: readonly Runs[]): UploadWorker {
  return {
    source,
    active: () => all.reduce((sum, { active }) => sum + active(), 0),
    async pause() {
      for (const { halt } of all) halt(true);
      await Promise.all(all.map(({ worker }) => worker.pause(true)));
    },
    async resume() {
      for (const { halt } of all) halt(false);
      await Promise.all(all.map(({ worker }) => worker.resume()));
    },
    abort(reason) {
      for (const { abort } of all) abort(reason);
    },
    async close(timeoutMs) {
      await within(
        Promise.all(all.map(({ worker }) => worker.close())).then(() => undefined),
        timeoutMs,
      );
    },
  };
}
