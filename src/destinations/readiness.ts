import type { UploadFailure } from '../domain/attempt.ts';
import { parseAnswer, textAt } from './answer/answer-body.ts';
import type { ReadinessPlan } from './definition/definition.ts';
import type { Answer } from './destination.ts';

/** Can an uploaded file be used? `failed`: it never will be. */
export type Readiness = 'ready' | 'failed' | 'pending';

/** What one look came to: the file's state, or why the answer tells none (a refusal, a page, a busy server). */
export type ReadinessLook = Readiness | UploadFailure;

/** What a file object says about itself. A state nobody knows is not ready yet. */
export function readinessIn(plan: ReadinessPlan, body: unknown): Readiness {
  const state = textAt(body, plan.status);
  if (state === null) return 'pending';
  if (plan.ready.includes(state)) return 'ready';
  return plan.failed.includes(state) ? 'failed' : 'pending';
}

/**
 * One look at one file; holds no slot between looks. What is no file object is told as what it is, never as a file that
 * is still being processed. Throws what `get` throws.
 * @param get sends one authorised GET
 * @param whyNot what an answer that is none means
 */
export async function pollReadiness(
  plan: ReadinessPlan,
  fileId: string,
  get: (url: string) => Promise<Answer>,
  whyNot: (answer: Answer, url: string) => UploadFailure,
): Promise<ReadinessLook> {
  const url = plan.url.replace('{id}', () => encodeURIComponent(fileId.toWellFormed()));
  const answer = await get(url);
  const body = answer.status >= 200 && answer.status <= 299 ? parseAnswer(answer.body) : undefined;
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  // JSON of another shape: it neither tells a state nor names the file.
  const isFile = isObject && (textAt(body, plan.status) !== null || answer.body.includes(fileId));
  return isFile ? readinessIn(plan, body) : whyNot(answer, url);
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
