import type { Arrival, Lane } from '../../domain/lane.ts';
import { abortErrorOf } from '../../platform/waiting/abort.ts';
import { createCondition } from '../../platform/waiting/condition.ts';
import type { Reservation } from '../ports.ts';
import { createQueueQuota, type QuotaGrant } from './queue-quota.ts';

/**
 * The jobs of one source that are in Redis and not yet recorded, as their owner knows them. The owner is the only one
 * that adds and removes, so a set in memory answers without a round trip, and a rescan costs Redis nothing.
 */
export interface PendingJobs {
  has(jobId: string): boolean;
  size(): number;
  /** How many of them have no receipt yet: what has one is counted there. */
  open(): number;
  all(): Iterable<string>;
  /** @param place of the room that was kept for them; it is freed besides */
  add(jobIds: Iterable<string>, place?: Lane): void;
  /** It has its receipt; its id is free a moment later. */
  recorded(jobId: string): void;
  remove(jobIds: Iterable<string>): void;
  /** Replaces all by what Redis really holds: at start, and after Redis may have lost data. */
  replace(jobIds: Iterable<string>): void;
  /** Waits for places under the maximum (`queue-quota.ts` says for whom), and keeps them until they are freed. */
  waitForRoom(count: number, arrival: Arrival, signal: AbortSignal): Promise<Reservation>;
  /** Resolves when nothing is pending. */
  waitUntilEmpty(signal: AbortSignal): Promise<void>;
  /** Resolves when this one is not pending any more. */
  waitUntilGone(jobId: string, signal: AbortSignal): Promise<void>;
}

/** @param maxPending G3: disk is the queue beyond this */
export function createPendingJobs(maxPending: number): PendingJobs {
  const jobs = new Map<string, Lane>();
  /** Recorded, but their ids are not free yet. */
  const recorded = new Set<string>();
  const quota = createQueueQuota(maxPending);
  const { until, changed } = createCondition();

  function add(jobId: string, place: Lane): void {
    if (jobs.has(jobId)) return;
    jobs.set(jobId, place);
    quota.known(place);
  }

  return {
    has: (jobId) => jobs.has(jobId),
    size: () => jobs.size,
    open: () => jobs.size - recorded.size,
    all: () => jobs.keys(),
    add(jobIds, place = 'backlog') {
      for (const jobId of jobIds) add(jobId, place);
    },
    recorded(jobId) {
      if (jobs.has(jobId)) recorded.add(jobId);
    },
    remove(jobIds) {
      for (const jobId of jobIds) {
        const place = jobs.get(jobId);
        if (place !== undefined) quota.recorded(place);
        jobs.delete(jobId);
        recorded.delete(jobId);
      }
      changed();
    },
    replace(jobIds) {
      const there = new Set(jobIds);
      for (const [jobId, place] of jobs) {
        if (there.has(jobId)) continue;
        jobs.delete(jobId);
        recorded.delete(jobId);
        quota.giveBack(place, 1);
      }
      // Of an earlier process: nobody knows how they came.
      for (const jobId of there) add(jobId, 'backlog');
      changed();
    },
    async waitForRoom(count, arrival, signal) {
      let grant = null as QuotaGrant | null;
      // Taken while it looks: two who wait would both be told of the same places.
      await until(() => {
        grant = quota.take(count, arrival);
        return grant !== null;
      }, signal);
      if (grant === null) throw abortErrorOf(signal);
      const { place, count: kept } = grant;
      return {
        count: kept,
        place,
        free() {
          quota.giveBack(place, kept);
          changed();
        },
      };
    },
    waitUntilEmpty: (signal) => until(() => jobs.size === 0, signal),
    waitUntilGone: (jobId, signal) => until(() => !jobs.has(jobId), signal),
  };
}
