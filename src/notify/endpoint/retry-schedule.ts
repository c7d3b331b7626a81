const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Standard Webhooks 1.0: ten attempts within 75 h 35 min. */
export const RETRY_SCHEDULE_MS: readonly number[] = [
  0,
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];

/** Endpoints that failed together are not tried together. */
const JITTER = 0.2;
const AFTER_429_MS = MINUTE;
/** No endpoint may ask for a silence that outlasts the schedule's own steps. */
export const MOST_ASKED_MS = 24 * HOUR;

/**
 * How long to wait before the next attempt, milliseconds; null: that was the last one.
 * @param failed attempts that failed so far, at least 1
 * @param answer.retryAfterMs what the endpoint asked for, else null: waited for where it is longer
 * @param random uniform in [0, 1)
 */
export function retryDelayMs(
  failed: number,
  answer: { readonly throttled: boolean; readonly retryAfterMs: number | null },
  random: () => number,
  schedule: readonly number[] = RETRY_SCHEDULE_MS,
): number | null {
  const step = schedule[failed];
  if (step === undefined) return null;
  const jittered = step * (1 - JITTER + 2 * JITTER * random());
  const asked = Math.min(answer.retryAfterMs ?? 0, MOST_ASKED_MS);
  return Math.round(Math.max(jittered, asked, answer.throttled ? AFTER_429_MS : 0));
}
