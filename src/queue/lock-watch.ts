/** Knows which jobs' locks may have been lost, from BullMQ's renewal events and the clock. */
export interface LockWatch {
  started(jobId: string): void;
  ended(jobId: string): void;
  renewed(jobIds: readonly string[]): void;
  lost(jobIds: readonly string[]): void;
  /**
   * True when a renewal failed, or none has succeeded for half of the lock's duration: during an outage BullMQ says
   * nothing at all, because a failed renewal needs an answer from Redis.
   */
  doubtful(jobId: string): boolean;
  /** It was taken, or its lock renewed, so lately that nobody can have taken it away and added it again (rule moment). */
  recent(jobId: string): boolean;
}

/** What is found to be lost is added again only after this long. */
export const MOMENT_MS = 1_000;

/** @param lockDurationMs BullMQ's `lockDuration` */
export function lockWatch(lockDurationMs: number, now: () => number): LockWatch {
  const safeSince = new Map<string, number>();
  // The same job twice in hand: its lock was lost before, and BullMQ renews neither once the first has ended.
  const again = new Map<string, number>();
  return {
    started(jobId) {
      if (safeSince.has(jobId)) again.set(jobId, (again.get(jobId) ?? 0) + 1);
      else safeSince.set(jobId, now());
    },
    ended(jobId) {
      const others = again.get(jobId) ?? 0;
      if (others === 0) safeSince.delete(jobId);
      else safeSince.set(jobId, Number.NEGATIVE_INFINITY);
      if (others > 1) again.set(jobId, others - 1);
      else again.delete(jobId);
    },
    renewed(jobIds) {
      for (const jobId of jobIds) if (safeSince.has(jobId)) safeSince.set(jobId, now());
    },
    lost(jobIds) {
      for (const jobId of jobIds) if (safeSince.has(jobId)) safeSince.set(jobId, Number.NEGATIVE_INFINITY);
    },
    recent: (jobId) => now() - (safeSince.get(jobId) ?? Number.NEGATIVE_INFINITY) < MOMENT_MS,
    doubtful: (jobId) => now() - (safeSince.get(jobId) ?? now()) > lockDurationMs / 2,
  };
}
