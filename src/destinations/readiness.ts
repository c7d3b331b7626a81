import { parseAnswer, textAt } from './answer/answer-body.ts';
import type { ReadinessPlan } from './definition/definition.ts';
import type { Answer } from './destination.ts';

/** Can an uploaded file be used? `failed`: it never will be. */
export type Readiness = 'ready' | 'failed' | 'pending';

/** What a file object says about itself. A state nobody knows is not ready yet. */
export function readinessIn(plan: ReadinessPlan, body: unknown): Readiness {
  const state = textAt(body, plan.status);
  if (state === null) return 'pending';
  if (plan.ready.includes(state)) return 'ready';
  return plan.failed.includes(state) ? 'failed' : 'pending';
}

/**
 * One look at one file; holds no slot between looks. Anything but a clear answer (a 429, a 500, a 404 of a store that
 * has not caught up with itself) is `pending`: only the deadline ends the waiting. Throws what `get` throws.
 * @param get sends one authorised GET
 */
export async function pollReadiness(
  plan: ReadinessPlan,
  fileId: string,
  get: (url: string) => Promise<Answer>,
): Promise<Readiness> {
  const answer = await get(plan.url.replace('{id}', () => encodeURIComponent(fileId.toWellFormed())));
  return answer.status >= 200 && answer.status <= 299
    ? readinessIn(plan, parseAnswer(answer.body))
    : 'pending';
}

export type NextPoll = { readonly kind: 'poll'; readonly atMs: number } | { readonly kind: 'give-up' };

/**
 * When to look at a file again. Pure.
 * @param acceptedAtMs when its upload was accepted
 * @param nowMs now: the last look has just ended, or the upload
 */
export function nextPoll(plan: ReadinessPlan, acceptedAtMs: number, nowMs: number): NextPoll {
  const endMs = acceptedAtMs + plan.deadlineMs;
  if (nowMs >= endMs) return { kind: 'give-up' };
  // A last look at the deadline itself, instead of giving up an interval early.
  return { kind: 'poll', atMs: Math.min(nowMs + plan.intervalMs, endMs) };
}

/**
 * Spaces the looks at all files of a destination: uploads and looks have separate quotas there.
 * @returns takes the next free moment, in milliseconds since the epoch, for a look wanted at `wantedMs`
 */
export function createPollSlots(perSecond: number): (wantedMs: number) => number {
  const gapMs = 1000 / perSecond;
  let freeMs = 0;
  return (wantedMs) => {
    const atMs = Math.max(wantedMs, freeMs);
    freeMs = atMs + gapMs;
    return atMs;
  };
}
