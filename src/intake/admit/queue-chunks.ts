import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { fullJitterMs } from '../../pacing/backoff.ts';

/** Measured best chunk for adding to the queue. */
const MAX_CHUNK = 100;
/** A chunk waits until all of it fits: with one as large as the room, half the room would often stand empty. */
const CHUNK_SHARE = 4;
const ENQUEUE_RETRY = { baseDelayMs: 200, maxDelayMs: 5_000 } as const;

/** How many jobs go into the queue at once; at least 1. */
export function chunkSizeOf(maxPending: number): number {
  return Math.min(MAX_CHUNK, Math.max(1, Math.floor(maxPending / CHUNK_SHARE)));
}

export interface Patience {
  readonly source: string;
  readonly log: Log;
  readonly random: () => number;
  /** It took them in the end, after so many attempts. */
  readonly recovered?: (attempts: number) => void;
}

/**
 * Asks the queue again until it takes a chunk. Rejects only when the signal fires.
 * @param admit one attempt; a mutex that it takes is free again between two of them, so the recorder goes on meanwhile
 */
export async function untilQueued<T>(
  admit: () => Promise<T>,
  { source, log, random, recovered }: Patience,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const admitted = await admit();
      if (attempt > 1) recovered?.(attempt);
      return admitted;
    } catch (error) {
      signal.throwIfAborted();
      if (attempt === 1)
        log.warn({ source, reason: reasonOf(error) }, 'the queue takes no jobs; trying again');
      await delay(fullJitterMs(attempt, ENQUEUE_RETRY, random), undefined, { signal });
    }
  }
}
