import { RATE } from './pacing-constants.ts';

/** Moments at which one request each may be sent, taken from the bucket of a destination. */
export interface Lease {
  /** Milliseconds from now until the first of them. */
  readonly inMs: number;
  readonly count: number;
  readonly intervalMs: number;
}

export type Turn =
  | { readonly kind: 'go' }
  /** A slot is in hand and due in so many milliseconds. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** None is in hand: lease some. */
  | { readonly kind: 'empty' };

/** The slots in hand of one process. Pure: time comes in with every call. */
export interface RateSlots {
  add(nowMs: number, lease: Lease): void;
  /** Uses the next slot when it is due. */
  take(nowMs: number): Turn;
  /** What was given a slot did not send anything: the slot goes to the next one. */
  refund(nowMs: number): void;
  inHand(): number;
}

/**
 * Slots are spaced for a little less than the quota; what came late (a busy process) is caught up on, but never faster
 * than the quota itself.
 */
export function createRateSlots(perSecond: number): RateSlots {
  const leastMs = 1_000 / perSecond;
  const toleranceMs = leastMs < RATE.timerMs ? RATE.timerMs : 0;
  let dueMs: number[] = [];
  let nextMs = Number.NEGATIVE_INFINITY;
  let refundedMs: number[] = [];

  return {
    add(nowMs, { inMs, count, intervalMs }) {
      for (let slot = 0; slot < count; slot += 1) dueMs.push(nowMs + inMs + slot * intervalMs);
    },
    take(nowMs) {
      refundedMs = refundedMs.filter((atMs) => nowMs - atMs <= RATE.lateMs);
      if (refundedMs.shift() !== undefined) return { kind: 'go' };
      dueMs = dueMs.filter((atMs) => nowMs - atMs <= RATE.lateMs);
      const [first] = dueMs;
      if (first === undefined) return { kind: 'empty' };
      const goMs = Math.max(first, nextMs - toleranceMs);
      if (goMs > nowMs) return { kind: 'wait', ms: goMs - nowMs };
      dueMs.shift();
      nextMs = Math.max(nowMs, nextMs) + leastMs;
      return { kind: 'go' };
    },
    refund(nowMs) {
      refundedMs.push(nowMs);
    },
    inHand: () => dueMs.length + refundedMs.length,
  };
}

/** Slots between two requests at `RATE.share` of the quota, milliseconds. */
export function slotIntervalMs(perSecond: number): number {
  return 1_000 / (perSecond * RATE.share);
}

/** How many slots one lease takes while so many uploads wait. */
export function leaseSize(perSecond: number, waiting: number): number {
  return Math.max(1, Math.min(waiting, Math.floor((perSecond * RATE.leaseMs) / 1_000)));
}

/** The bucket of a process that shares with nobody it can ask. Pure. */
export interface LocalBucket {
  /** @param sharers processes that divide the quota, this one included */
  reserve(nowMs: number, count: number, sharers: number): Lease;
  /** Slots up to this moment were taken from the shared bucket. */
  takenUntil(atMs: number): void;
}

export function createLocalBucket(perSecond: number): LocalBucket {
  let nextMs = Number.NEGATIVE_INFINITY;
  return {
    reserve(nowMs, count, sharers) {
      const intervalMs = slotIntervalMs(perSecond) * Math.max(1, sharers);
      const startMs = Math.max(nowMs, nextMs);
      nextMs = startMs + count * intervalMs;
      return { inMs: startMs - nowMs, count, intervalMs };
    },
    takenUntil(atMs) {
      nextMs = Math.max(nextMs, atMs);
    },
  };
}
