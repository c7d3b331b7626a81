import type { Delivery, DeliveryAnswer } from '../../domain/delivery.ts';
import { reasonOf } from '../../domain/errors.ts';
import type { AttemptEnd, Message, Send } from '../send/send-attempt.ts';
import { retryDelayMs } from './retry-schedule.ts';

/** An attempt that counts. */
export type CountedEnd = Exclude<AttemptEnd, { kind: 'aborted' }>;

/** One attempt. What is thrown counts as a failure: else it would be tried for ever. */
export async function attempt(send: Send, message: Message, signal: AbortSignal): Promise<AttemptEnd> {
  try {
    return await send(message, signal);
  } catch (error) {
    return signal.aborted ? { kind: 'aborted' } : failedFor(`cannot be sent: ${reasonOf(error)}`);
  }
}

/** A failure that no endpoint has answered with. */
export function failedFor(reason: string): CountedEnd {
  return {
    ...{ kind: 'failed', status: null, throttled: false, retryAfterMs: null, durationMs: 0, excerpt: '' },
    reason,
  };
}

/** What becomes of a delivery after an attempt: null when it is done. */
export function afterAttempt(
  delivery: Delivery,
  end: CountedEnd,
  options: { readonly nowMs: number; readonly random: () => number; readonly scheduleMs: readonly number[] },
): Delivery | null {
  if (end.kind === 'acknowledged') return null;
  const last = answerOf(end, options.nowMs);
  // Kept as it is: its endpoint is disabled, and may come back.
  if (end.kind === 'gone') return { ...delivery, last };
  const attempts = delivery.attempts + 1;
  const delayMs = retryDelayMs(attempts, end, options.random, options.scheduleMs);
  return delayMs === null
    ? { ...delivery, attempts, last, state: 'dead' }
    : { ...delivery, attempts, last, dueAtMs: options.nowMs + delayMs };
}

export function answerOf(end: CountedEnd, nowMs: number): DeliveryAnswer {
  return {
    at: new Date(nowMs).toISOString(),
    status: end.status,
    summary: end.kind === 'failed' ? end.reason : end.kind,
    durationMs: Math.round(end.durationMs),
  };
}
