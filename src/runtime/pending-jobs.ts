/**
 * The jobs of one source that are in Redis and not yet recorded, as their owner knows them. The owner is the only one
 * that adds and removes, so a set in memory answers without a round trip, and a rescan costs Redis nothing.
 */
export interface PendingJobs {
  has(jobId: string): boolean;
  size(): number;
  all(): Iterable<string>;
  add(jobIds: Iterable<string>): void;
  remove(jobIds: Iterable<string>): void;
  /** Replaces all by what Redis really holds: at start, and after Redis may have lost data. */
  replace(jobIds: Iterable<string>): void;
  /** Waits until `count` more fit under the maximum (at least one, however small the maximum). */
  waitForRoom(count: number, signal: AbortSignal): Promise<void>;
  /** Resolves when nothing is pending. */
  waitUntilEmpty(signal: AbortSignal): Promise<void>;
}

/** @param maxPending G3: disk is the queue beyond this */
export function createPendingJobs(maxPending: number): PendingJobs {
  let ids = new Set<string>();
  const waiters = new Set<() => void>();

  function changed(): void {
    for (const look of [...waiters]) look();
  }

  function waitUntil(done: () => boolean, signal: AbortSignal): Promise<void> {
    if (done()) return Promise.resolve();
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        waiters.delete(look);
        signal.removeEventListener('abort', onAbort);
      };
      const look = (): void => {
        if (!done()) return;
        settle();
        resolve();
      };
      const onAbort = (): void => {
        settle();
        reject(signal.reason);
      };
      waiters.add(look);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  return {
    has: (jobId) => ids.has(jobId),
    size: () => ids.size,
    all: () => ids,
    add(jobIds) {
      for (const jobId of jobIds) ids.add(jobId);
    },
    remove(jobIds) {
      for (const jobId of jobIds) ids.delete(jobId);
      changed();
    },
    replace(jobIds) {
      ids = new Set(jobIds);
      changed();
    },
    waitForRoom: (count, signal) => waitUntil(() => ids.size === 0 || ids.size + count <= maxPending, signal),
    waitUntilEmpty: (signal) => waitUntil(() => ids.size === 0, signal),
  };
}
