import { parseRetryAfter } from '../../pacing/retry-after.ts';
import type { HttpAnswer } from '../../platform/http/http-message.ts';

/** One delivery as it is handed over. */
export interface Message {
  readonly id: string;
  readonly body: string;
}

/**
 * How one attempt ended.
 * - `acknowledged`: done
 * - `gone`: the endpoint wants nothing any more (410)
 * - `failed`: to be tried again
 * - `aborted`: we stopped; it counts for nothing
 */
export type AttemptEnd =
  | {
      readonly kind: 'acknowledged';
      readonly status: number;
      readonly durationMs: number;
      readonly excerpt: string;
    }
  | { readonly kind: 'gone'; readonly status: number; readonly durationMs: number; readonly excerpt: string }
  | {
      readonly kind: 'failed';
      readonly status: number | null;
      /** One line, nothing secret. */
      readonly reason: string;
      readonly throttled: boolean;
      /** Asked for by the endpoint; null: it did not say. */
      readonly retryAfterMs: number | null;
      readonly durationMs: number;
      readonly excerpt: string;
    }
  | { readonly kind: 'aborted' };

/** Hands a message over once. */
export type Send = (message: Message, signal: AbortSignal) => Promise<AttemptEnd>;

const EXCERPT_CHARS = 200;

/** What an HTTP answer means (Standard Webhooks 1.0): only 2xx is success, a redirect is none, 410 is goodbye. */
export function judgeAnswer(answer: HttpAnswer, durationMs: number, nowMs: number): AttemptEnd {
  const { status } = answer;
  const excerpt = excerptOf(answer.body);
  if (status >= 200 && status < 300) return { kind: 'acknowledged', status, durationMs, excerpt };
  if (status === 410) return { kind: 'gone', status, durationMs, excerpt };
  const reason =
    status >= 300 && status < 400 ? `HTTP ${status}: redirects are not followed` : `HTTP ${status}`;
  return {
    kind: 'failed',
    status,
    reason,
    throttled: status === 429,
    retryAfterMs: parseRetryAfter(answer.headers, nowMs),
    durationMs,
    excerpt,
  };
}

function excerptOf(body: string): string {
  return body.slice(0, EXCERPT_CHARS);
}
