import type { ReadinessPlan } from './definition/definition.ts';
import type { Answer } from './destination.ts';
import { createPollSlots, type NextPoll, nextPoll, pollReadiness, type Readiness } from './readiness.ts';

/** Sends one GET with its headers; never follows a redirect. */
export type SendGet = (
  request: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
) => Promise<Answer>;

/** Whether uploaded files can be used: for destinations with `waitUntilReady`. */
export interface ReadinessPort {
  /** One authorised look. Throws SlipwayError `token_*` and what `send` throws. */
  poll(fileId: string, send: SendGet, signal: AbortSignal): Promise<Readiness>;
  /** When to look next, in milliseconds since the epoch; a `poll` takes its place in the quota of looks. */
  next(acceptedAtMs: number, nowMs: number): NextPoll;
  /** The next free place in the quota from `wantedMs` on, taken; milliseconds since the epoch. */
  turn(wantedMs: number): number;
}

/** The credentials of the destination. */
export interface ReadinessCredentials {
  headers(signal: AbortSignal): Promise<{ headers: Readonly<Record<string, string>>; generation: number }>;
  refused(generation: number): void;
}

/** null where there is nothing to wait for. */
export function openReadiness(
  plan: ReadinessPlan | null,
  credentials: ReadinessCredentials,
): ReadinessPort | null {
  if (plan === null) return null;
  const takeSlot = createPollSlots(plan.perSecond);
  return {
    poll: (fileId, send, signal) =>
      pollReadiness(plan, fileId, async (url) => {
        const { headers, generation } = await credentials.headers(signal);
        const answer = await send({ url, headers }, signal);
        // The next look then goes with a fresh token.
        if (answer.status === 401) credentials.refused(generation);
        return answer;
      }),
    next(acceptedAtMs, nowMs) {
      const next = nextPoll(plan, acceptedAtMs, nowMs);
      return next.kind === 'poll' ? { kind: 'poll', atMs: takeSlot(next.atMs) } : next;
    },
    turn: takeSlot,
  };
}
