import { createCondition } from '../platform/condition.ts';

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
  add(jobIds: Iterable<string>): void;
  /** It has its receipt; its id is free a moment later. */
  recorded(jobId: string): void;
  remove(jobIds: Iterable<string>): void;
  /** Replaces all by what Redis really holds: at start, and after Redis may have lost data. */
  replace(jobIds: Iterable<string>): void;
  /** Waits until `count` more fit under the maximum (at least one, however small the maximum). */
  waitForRoom(count: number, signal: AbortSignal): Promise<void>;
  /** Resolves when nothing is pending. */
  waitUntilEmpty(signal: AbortSignal): Promise<void>;
  /** Resolves when this one is not pending any more. */
  waitUntilGone(jobId: string, signal: AbortSignal): Promise<void>;
}

/** @param maxPending G3: disk is the queue beyond this */
export function createPendingJobs(maxPending: number): PendingJobs {
  let ids = new Set<string>();
  /** Recorded, but their ids are not free yet. */
  const recorded = new Set<string>();
  const { until, changed } = createCondition();

  return {
    has: (jobId) => ids.has(jobId),
    size: () => ids.size,
    open: () => ids.size - recorded.size,
    all: () => ids,
    add(jobIds) {
      for (const jobId of jobIds) ids.add(jobId);
    },
    recorded(jobId) {
      if (ids.has(jobId)) recorded.add(jobId);
    },
    remove(jobIds) {
      for (const jobId of jobIds) {
        ids.delete(jobId);
        recorded.delete(jobId);
      }
      changed();
    },
    replace(jobIds) {
      ids = new Set(jobIds);
      for (const jobId of recorded) if (!ids.has(jobId)) recorded.delete(jobId);
      changed();
    },
    waitForRoom: (count, signal) => until(() => ids.size === 0 || ids.size + count <= maxPending, signal),
    waitUntilEmpty: (signal) => until(() => ids.size === 0, signal),
    waitUntilGone: (jobId, signal) => until(() => !ids.has(jobId), signal),
  };
}
