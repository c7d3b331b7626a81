import type { Redis } from 'ioredis';
import { BRING_FORWARD_LUA } from './bullmq-layout/bring-forward-script.ts';

/**
 * Jobs of live files that wait for their next try. When that is due they go before all that waits; should this process
 * have ended by then, BullMQ brings them back by itself a moment later, behind the others.
 */
export interface LiveRetries {
  /**
   * @param delayMs until it is due
   * @param toldMs until when BullMQ was told to delay it, milliseconds since the epoch
   */
  add(jobId: string, delayMs: number, toldMs: number): void;
  /** They come back by themselves from here on. */
  close(): void;
}

/** BullMQ is told of a time so much later, so that it does not come first. */
export const LIVE_RETRY_GRACE_MS = 1_000;
/** A Node timer holds no more; BullMQ alone brings back what waits longer. */
const MAX_TIMER_MS = 2_147_483_647;

/**
 * @param toKey BullMQ's: the key of a job, or of a part of the queue
 * @param failed told of what Redis did not take
 */
export function liveRetries(
  connection: Redis,
  toKey: (part: string) => string,
  failed: (error: unknown) => void,
): LiveRetries {
  const timers = new Set<NodeJS.Timeout>();
  const queueKeys = ['delayed', 'wait', 'marker'].map(toKey);

  return {
    add(jobId, delayMs, toldMs) {
      if (delayMs > MAX_TIMER_MS) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        connection.eval(BRING_FORWARD_LUA, 4, ...queueKeys, toKey(jobId), jobId, toldMs).catch(failed);
      }, delayMs);
      timers.add(timer.unref());
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
