/** When a file version was noticed; milliseconds since the epoch. */
export interface SeenTimes {
  /** The first look that found this version. */
  readonly seenAtMs: number;
  /** The look by which it had not changed for long enough. */
  readonly settledAtMs: number;
}

/** Whole as it was found: nobody waited for it. */
export function atFirstSight(nowMs: number): SeenTimes {
  return { seenAtMs: nowMs, settledAtMs: nowMs };
}

/** The same as a job carries it: `settledAtMs` is left out where the first look settled it, which is the rule of a backlog. */
export type JobSight = Partial<SeenTimes>;

/** The same as a receipt keeps it, in a few bytes. Both are left out where nobody watched. */
export interface ReceiptSight {
  /** How long before `queuedAt` it was first seen, in milliseconds. */
  readonly seenMs?: number;
  /** How long before `queuedAt` it was settled, in milliseconds; left out: at first sight. */
  readonly settledMs?: number;
}

export function jobSight({ seenAtMs, settledAtMs }: SeenTimes): JobSight {
  return settledAtMs === seenAtMs ? { seenAtMs } : { seenAtMs, settledAtMs };
}

/** @param queuedAtMs milliseconds since the epoch; a clock that was set back meanwhile makes no negative times */
export function receiptSight({ seenAtMs, settledAtMs }: JobSight, queuedAtMs: number): ReceiptSight {
  if (seenAtMs === undefined) return {};
  const seenMs = Math.max(0, queuedAtMs - seenAtMs);
  if (settledAtMs === undefined || settledAtMs === seenAtMs) return { seenMs };
  return { seenMs, settledMs: Math.max(0, Math.min(seenMs, queuedAtMs - settledAtMs)) };
}

/** When it was seen and settled, in milliseconds since the epoch; null: a receipt without it. */
export function sightOf({ seenMs, settledMs }: ReceiptSight, queuedAtMs: number): SeenTimes | null {
  if (seenMs === undefined) return null;
  return { seenAtMs: queuedAtMs - seenMs, settledAtMs: queuedAtMs - (settledMs ?? seenMs) };
}
