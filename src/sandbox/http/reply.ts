import type { FaultRule } from '../trouble/fault-rule.ts';

/** An HTTP answer, not sent yet. */
export interface Reply {
  readonly status: number;
  /** Beyond Date, Content-Length and Content-Type. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly body: string | Buffer;
}

/**
 * What a request came to, before anything is changed, so that a fault can still come between:
 * - `answered`: a question and its answer
 * - `refused`: the reason is counted
 * - `accepted`: `store` makes the change and gives the answer; when it is never called, `discard` is
 * - `gone`: the client broke off
 */
export type Outcome =
  | { readonly kind: 'answered'; readonly reply: Reply }
  | { readonly kind: 'refused'; readonly reply: Reply; readonly reason: string }
  | {
      readonly kind: 'accepted';
      readonly filename: string | null;
      readonly store: () => Reply | Promise<Reply>;
      readonly discard?: () => void;
    }
  | { readonly kind: 'gone' };

/** How one API says no. */
export interface ApiManners {
  /** Too many requests, in the API's own shape. */
  throttled(): Outcome;
  /** HTTP 503. */
  overloaded(): Outcome;
  /** The body of a `code` fault. */
  coded(fault: Extract<FaultRule, { action: 'code' }>): Reply;
}

const JSON_TYPE = 'application/json; charset=utf-8';

/** A JSON answer; non-ASCII stays raw, as these services send it. */
export function jsonReply(status: number, value: unknown, headers?: Readonly<Record<string, string>>): Reply {
  const reply = { status, contentType: JSON_TYPE, body: JSON.stringify(value) };
  return headers === undefined ? reply : { ...reply, headers };
}

export function textReply(status: number, body: string): Reply {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

export function refused(reason: string, reply: Reply): Outcome {
  return { kind: 'refused', reason, reply };
}

export const GONE: Outcome = { kind: 'gone' };
