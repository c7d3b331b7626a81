import type { BatchState } from './batch.ts';
import type { BlockerReport } from './blocker.ts';
import type { EndpointReport } from './delivery.ts';
import type { LeftAlone } from './left-out.ts';

/** What `status` and the progress line show of one source; discovered = uploaded + failed + skipped + pending. */
export interface SourceReport {
  readonly name: string;
  readonly path: string;
  readonly destination: string;
  readonly manifest: string;
  readonly discovered: number;
  readonly uploaded: number;
  readonly failed: number;
  readonly skipped: number;
  /** Of the failed, those that nobody has given up (`failed discard`). */
  readonly dead: number;
  /** Jobs that Redis has lost since the ledger was made; left out by a process of an older version. */
  readonly lostJobs?: number;
  /** Known and not yet recorded: not settled, or in Redis. */
  readonly pending: number;
  /** Seen on disk, not yet quiet for `settle`. */
  readonly unsettled: number;
  /** Files and folders that could not be looked at in the last comparison of the whole folder. */
  readonly unreadable: number;
  /** Left alone by rules in that comparison, a folder once; left out by a process of an older version. */
  readonly leftAlone?: LeftAlone;
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  /** ISO time. */
  readonly oldestWaiting: string | null;
  /** Those that have not ended; left out by a process of an older version. */
  readonly batches?: readonly BatchState[];
  /** What keeps this source from going on, in one line; null when nothing does. */
  readonly trouble: string | null;
  /** All that keeps its files from being sent, but for its destination and a pause; left out by a process of an older version. */
  readonly blockers?: readonly BlockerReport[];
  /** Only while the user has paused it, or its destination: since when, and how it goes on. */
  readonly paused?: string;
  /** Who is told of it. */
  readonly webhooks: readonly EndpointReport[];
}

export interface DestinationReport {
  readonly name: string;
  readonly origin: string;
  /** `probing`: it was down or stopped, and one upload tries whether it still is. */
  readonly health: 'running' | 'down' | 'stopped' | 'probing';
  /** Why it is stopped, in one line. */
  readonly failure: string | null;
  /** The last temporary failure of the token service or the far side; null after a success. */
  readonly lastTrouble: string | null;
  readonly limit: number;
  readonly inFlight: number;
  /** Jobs in hand that wait for a permit or a slot of the rate. */
  readonly waitingHere: number;
  /** `open`: it is down, and one upload at a time tries whether it still is. */
  readonly circuit: 'closed' | 'open' | 'probing';
  /** ISO time of the next try of a destination that is down or stopped. */
  readonly probeAt: string | null;
  /** ISO time until which nobody sends, as the far side asked. */
  readonly resumesAt: string | null;
  /** ISO time since which the user has paused it. */
  readonly pausedSince: string | null;
  /** All that keeps files from being sent there; left out by a process of an older version. */
  readonly blockers?: readonly BlockerReport[];
  /** Mean, milliseconds. */
  readonly roundTripMs: number | null;
  /** Uploads per second: the quota, null where none is known, and what is really sent. */
  readonly quotaPerSecond: number | null;
  readonly sentPerSecond: number;
  /** Of what is sent, 0 to 1. */
  readonly throttledShare: number;
}

/** The two halves of the work; `run` does both. */
export type Role = 'intake' | 'worker';

/** A process's own account of itself, published for `status` in other processes. */
export interface LiveReport {
  readonly v: 1;
  /** ISO time. */
  readonly at: string;
  readonly host: string;
  readonly pid: number;
  readonly roles: readonly Role[];
  /** Names of the sources it works on, in whatever role. */
  readonly serves: readonly string[];
  readonly filesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | null;
  /** Of the sources it owns. */
  readonly sources: readonly SourceReport[];
  /** Of the destinations it uploads to. */
  readonly destinations: readonly DestinationReport[];
}

/** Whether files wait for something to end that nobody knows the end of, or that ends at a time of its own. */
export function isHeldUp(blockers: readonly BlockerReport[] = []): boolean {
  return blockers.some(({ reason }) => reason !== 'unproven');
}

/**
 * Seconds until `pending` files are done at this rate.
 * @param heldUp nothing is sent for now: what was sent a moment ago says nothing
 * @returns null while nothing moves
 */
export function etaSeconds(pending: number, filesPerSecond: number, heldUp = false): number | null {
  if (pending === 0) return 0;
  if (heldUp) return null;
  return filesPerSecond < 0.01 ? null : Math.ceil(pending / filesPerSecond);
}
