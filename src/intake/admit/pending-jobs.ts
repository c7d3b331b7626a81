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
  /** The carrier it travels in; null: it is a job of its own, or not pending. */
  carrierOf(jobId: string): string | null;
  /** How many of them travel in carriers and have no receipt yet. */
  carried(): number;
  /** Those that have no receipt yet, by the jobs in which they must be. */
  expected(): { readonly singles: number; readonly carriers: number };
  /**
   * @param place of the room that was kept for them; it is freed besides
   * @param carrier in which they travel; null: each is a job of its own
   */
  add(jobIds: Iterable<string>, place?: Lane, carrier?: string | null): void;
  /** It has left its carrier, for a job of its own. */
  becomeSingle(jobId: string): void;
  /** They could not be added after all. */
  withdraw(jobIds: Iterable<string>): void;
  /** It has its receipt; its id is free a moment later. */
  recorded(jobId: string): void;
  remove(jobIds: Iterable<string>): void;
  /** Replaces all by what Redis really holds, and the carriers it is in: at start, and after Redis may have lost data. */
  replace(jobs: Iterable<readonly [jobId: string, carrier: string | null]>): void;
  /** Waits for places under the maximum (`queue-quota.ts` says for whom), and keeps them until they are freed. */
  waitForRoom(count: number, arrival: Arrival, signal: AbortSignal): Promise<Reservation>;
  /** Resolves when nothing is pending. */
  waitUntilEmpty(signal: AbortSignal): Promise<void>;
  /** Resolves when this one is not pending any more. */
  waitUntilGone(jobId: string, signal: AbortSignal): Promise<void>;
}

// Over 80 lines: one book of what is pending, by place and by carrier; none of its entries is longer than a dozen lines.
/** @param maxPending G3: disk is the queue beyond this */
export function createPendingJobs(maxPending: number): PendingJobs {
  const jobs = new Map<string, Lane>();
  /** Of those that travel in one. */
  const carriers = new Map<string, string>();
  /** How many are in each of them. */
  const loads = new Map<string, number>();
  /** Recorded, but their ids are not free yet. */
  const recorded = new Set<string>();
  const quota = createQueueQuota(maxPending);
  const { until, changed } = createCondition();

  function add(jobId: string, place: Lane, carrier: string | null): void {
    if (jobs.has(jobId)) return;
    jobs.set(jobId, place);
    quota.known(place);
    board(jobId, carrier);
  }

  function board(jobId: string, carrier: string | null): void {
    if (carrier === null) return;
    carriers.set(jobId, carrier);
    loads.set(carrier, (loads.get(carrier) ?? 0) + 1);
  }

  function alight(jobId: string): void {
    const carrier = carriers.get(jobId);
    if (carrier === undefined) return;
    carriers.delete(jobId);
    const left = (loads.get(carrier) ?? 1) - 1;
    if (left === 0) loads.delete(carrier);
    else loads.set(carrier, left);
  }

  /** Of those that travel, how many are recorded. */
  function arrived(): number {
    let count = 0;
    for (const jobId of recorded) if (carriers.has(jobId)) count += 1;
    return count;
  }

  function forget(jobId: string, quit: (place: Lane) => void): void {
    const place = jobs.get(jobId);
    if (place !== undefined) quit(place);
    alight(jobId);
    jobs.delete(jobId);
    recorded.delete(jobId);
  }

  return {
    has: (jobId) => jobs.has(jobId),
    size: () => jobs.size,
    open: () => jobs.size - recorded.size,
    all: () => jobs.keys(),
    carrierOf: (jobId) => carriers.get(jobId) ?? null,
    carried: () => carriers.size - arrived(),
    expected: () => ({
      singles: jobs.size - carriers.size - (recorded.size - arrived()),
      carriers: loads.size,
    }),
    add(jobIds, place = 'backlog', carrier = null) {
      for (const jobId of jobIds) add(jobId, place, carrier);
    },
    becomeSingle: alight,
    withdraw(jobIds) {
      for (const jobId of jobIds) forget(jobId, (place) => quota.giveBack(place, 1));
      changed();
    },
    recorded(jobId) {
      if (jobs.has(jobId)) recorded.add(jobId);
    },
    remove(jobIds) {
      for (const jobId of jobIds) forget(jobId, quota.recorded);
      changed();
    },
    replace(found) {
      const there = new Map(found);
      for (const jobId of [...jobs.keys()])
        if (!there.has(jobId)) forget(jobId, (place) => quota.giveBack(place, 1));
      for (const [jobId, carrier] of there) {
        alight(jobId);
        if (jobs.has(jobId)) board(jobId, carrier);
        // Of an earlier process: nobody knows how they came.
        else add(jobId, 'backlog', carrier);
      }
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
