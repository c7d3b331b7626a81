import type { UploadFailure } from '../domain/attempt.ts';
import type { ReadinessPlan } from './definition/definition.ts';
import type { Answer, AuthorizedRequest } from './destination.ts';
import { createPollSlots, type NextPoll, nextPoll, pollReadiness, type ReadinessLook } from './readiness.ts';

/** Sends one GET with its headers; never follows a redirect. */
export type SendGet = (
  request: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
) => Promise<Answer>;

/** Whether uploaded files can be used: for destinations with `waitUntilReady`. */
export interface ReadinessPort {
  /** One authorised look. Throws SlipwayError `token_*` and what `send` throws. */
  poll(fileId: string, send: SendGet, signal: AbortSignal): Promise<ReadinessLook>;
  /** When to look next, in milliseconds since the epoch; a `poll` takes its place in the quota of looks. */
  next(acceptedAtMs: number, nowMs: number): NextPoll;
  /** The next free place in the quota from `wantedMs` on, taken; milliseconds since the epoch. */
  turn(wantedMs: number): number;
}

/** What a look was sent with. */
export type SentCredentials = Pick<AuthorizedRequest, 'headers' | 'tokenGeneration' | 'tokenFirstUse'>;

/** A look as it was sent. */
export type SentLook = SentCredentials & Pick<AuthorizedRequest, 'url'>;

/** The credentials of the destination. */
export interface ReadinessCredentials {
  headers(signal: AbortSignal): Promise<SentCredentials>;
  /** What an answer that is no file object means; a refused token is read again for the next look. */
  whyNot(answer: Answer, look: SentLook): UploadFailure;
  /** The far side took the credentials. */
  accepted(): void;
}

/** null where there is nothing to wait for. */
export function openReadiness(
  plan: ReadinessPlan | null,
  credentials: ReadinessCredentials,
): ReadinessPort | null {
  if (plan === null) return null;
  const takeSlot = createPollSlots(plan.perSecond);
  return {
    async poll(fileId, send, signal) {
      const request = await credentials.headers(signal);
      const get = (url: string): Promise<Answer> => send({ url, headers: request.headers }, signal);
      const look = await pollReadiness(plan, fileId, get, (answer, url) =>
        credentials.whyNot(answer, { ...request, url }),
      );
      if (typeof look === 'string') credentials.accepted();
      return look;
    },
    next(acceptedAtMs, nowMs) {
      const next = nextPoll(plan, acceptedAtMs, nowMs);
      return next.kind === 'poll' ? { kind: 'poll', atMs: takeSlot(next.atMs) } : next;
    },
    turn: takeSlot,
  };
}
