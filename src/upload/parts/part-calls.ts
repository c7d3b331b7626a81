import type {
  Answer,
  Destination,
  PartsCall,
  PartTransfer,
  PreparedCall,
  Verdict,
} from '../../destinations/destination.ts';
import type { AcceptedFile, UploadFailure } from '../../domain/attempt.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { HttpRequest } from '../../platform/http/http-message.ts';
import { abortErrorOf, sleep } from '../../platform/waiting/abort.ts';
import type { HttpSend } from '../attempt/upload-task.ts';
import type { PartBody } from './part-source.ts';

/** The body of a call that carries bytes; opened anew for every try. */
export interface CallBody {
  readonly contentType: string;
  /** Bytes, exact. */
  readonly contentLength: number;
  readonly open: () => PartBody;
}

export type CallResult =
  | {
      readonly kind: 'done';
      readonly accepted: AcceptedFile;
      readonly httpStatus: number;
      /** Size the far side says it stored; null: it does not say. */
      readonly remoteBytes: number | null;
    }
  | { readonly kind: 'failed'; readonly failure: UploadFailure };

export interface CallMeans {
  readonly destination: Destination;
  readonly parts: PartTransfer;
  readonly send: HttpSend;
  readonly log: Log;
}

/** File objects and Uploads are a few hundred bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Of a call whose failure would throw away what has been sent. */
export const TRIES = 5;
/** Mended credentials cost nothing; a destination that mends for ever would never end. */
const MAX_MENDS = 5;
/** Waits between tries of one call, in milliseconds: a part that fails once must not cost gigabytes. */
const RETRY_WAITS_MS = [500, 1_000, 2_000, 4_000];
/** Whoever asks for a longer wait is better served by the job's own, which holds no permit. */
const MAX_RETRY_AFTER_MS = 30_000;

/**
 * One call of an upload in parts: authorize → send → what did they say → mend the credentials, or wait and try again.
 * Throws the signal's reason, what the body throws, and SlipwayError `connection`, `timeout`, `token_…` when trying
 * again did not help.
 * @param tries 1: a failure stands; more: what may pass is tried again
 */
export async function callParts(
  call: PartsCall,
  body: CallBody | null,
  { destination, parts, send, log }: CallMeans,
  { signal, tries }: { readonly signal: AbortSignal; readonly tries: number },
): Promise<CallResult> {
  let mends = 0;
  let uncertain: Trouble | null = null;
  for (let attempt = 1; ; ) {
    const exchanged = await exchange();
    let trouble: Trouble;
    if ('error' in exchanged) {
      if (signal.aborted) throw abortErrorOf(signal);
      if (!mayPass(exchanged.error)) throw exchanged.error;
      trouble = exchanged;
    } else {
      const { verdict, request, answer } = exchanged;
      if (verdict.kind === 'uploaded') {
        destination.accepted(request);
        const { accepted, remoteBytes = null } = verdict;
        return { kind: 'done', accepted, remoteBytes, httpStatus: answer.status };
      }
      const ruling = destination.reconsider(verdict.failure, request, answer);
      if (ruling === 'again' && mends < MAX_MENDS) {
        mends += 1;
        continue;
      }
      trouble = { failure: ruling === 'again' ? verdict.failure : ruling };
    }
    // What is refused now may have been done by the try whose answer was lost: that trouble is the true one.
    if (uncertain !== null && !isPassing(trouble)) return ended(uncertain);
    const waitMs = waitBefore(attempt, trouble);
    if (attempt >= tries || waitMs === null) return ended(trouble);
    if (mayBeDone(trouble)) uncertain ??= trouble;
    attempt += 1;
    log.debug(
      { destination: destination.name, step: call.step, reason: reasonIn(trouble), waitMs },
      'a call of an upload in parts is tried again',
    );
    await sleep(waitMs, signal);
  }

  async function exchange(): Promise<Exchanged | { readonly error: unknown }> {
    try {
      const request = await parts.authorize(call, signal);
      const opened = body === null ? null : { ...body, ...body.open() };
      const answer = await send(messageOf(request, opened, signal));
      const verdict = parts.judge(call, answer, request);
      if (verdict.kind === 'uploaded' && (opened?.wasSent() === false || answer.early === true))
        throw new SlipwayError('bad_answer', { detail: 'success before the whole part was sent' });
      return { request, answer, verdict };
    } catch (error) {
      return { error };
    }
  }
}

interface Exchanged {
  readonly request: PreparedCall;
  readonly answer: Answer;
  readonly verdict: Verdict;
}

type Trouble = { readonly failure: UploadFailure } | { readonly error: unknown };

function messageOf(
  { method, url, headers, json }: PreparedCall,
  bytes: (CallBody & PartBody) | null,
  signal: AbortSignal,
): HttpRequest {
  const common = { method, url, signal, maxResponseBytes: MAX_ANSWER_BYTES };
  if (bytes !== null) {
    const { contentType, contentLength, chunks } = bytes;
    return { ...common, headers: { ...headers, 'content-type': contentType }, contentLength, body: chunks };
  }
  const body = Buffer.from(json ?? '');
  return {
    ...common,
    headers: { ...headers, 'content-type': 'application/json' },
    contentLength: body.length,
    body,
  };
}

/** The network's or the far side's trouble, not this machine's and not the file's. */
function mayPass(error: unknown): boolean {
  return error instanceof SlipwayError && error.kind === 'unavailable';
}

function isPassing(trouble: Trouble): boolean {
  if ('error' in trouble) return true;
  return trouble.failure.kind === 'unavailable' || trouble.failure.kind === 'throttled';
}

/** A 429 was certainly not acted upon; anything else that gives no clear answer may have been. */
function mayBeDone(trouble: Trouble): boolean {
  return 'error' in trouble || trouble.failure.kind !== 'throttled';
}

/** How long to wait before the next try; null: there is none. */
function waitBefore(attempt: number, trouble: Trouble): number | null {
  const ownMs = RETRY_WAITS_MS[attempt - 1];
  if (!isPassing(trouble) || ownMs === undefined) return null;
  const askedMs = 'failure' in trouble ? (trouble.failure.retryAfterMs ?? 0) : 0;
  return askedMs > MAX_RETRY_AFTER_MS ? null : Math.max(ownMs, askedMs);
}

function ended(trouble: Trouble): CallResult {
  if ('error' in trouble) throw trouble.error;
  return { kind: 'failed', failure: trouble.failure };
}

function reasonIn(trouble: Trouble): string {
  return 'failure' in trouble ? trouble.failure.message : reasonOf(trouble.error);
}
