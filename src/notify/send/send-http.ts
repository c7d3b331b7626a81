import { orderedSecrets, redactText } from '../../destinations/answer/redact-secrets.ts';
import { reasonOf } from '../../domain/errors.ts';
import { timeoutFailure } from '../../platform/http/http-failure.ts';
import type { HttpAnswer, HttpRequest } from '../../platform/http/http-message.ts';
import { onAbort } from '../../platform/waiting/abort.ts';
import type { HttpTarget } from '../endpoint/endpoint.ts';
import { type AttemptEnd, judgeAnswer, type Message, type Send } from './send-attempt.ts';
import { createSigner } from './signature.ts';

/** More of an answer nobody reads: it only decides what `webhooks test` and `list` show. */
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * Posts messages to an endpoint, signed anew at each attempt. Whatever the other end does (a gigabyte, silence, half an
 * answer), an attempt ends within the time-out and holds 16 KiB.
 */
export function httpSender(
  target: HttpTarget,
  options: {
    readonly timeoutMs: number;
    readonly send: (request: HttpRequest) => Promise<HttpAnswer>;
    readonly now: () => number;
  },
): Send {
  const { timeoutMs, send, now } = options;
  const signer = createSigner(target.secrets);
  const secrets = orderedSecrets([
    ...(target.neverShown ?? []),
    ...target.secrets,
    ...Object.values(target.headers),
  ]);

  return async ({ id, body }: Message, signal: AbortSignal): Promise<AttemptEnd> => {
    const beganMs = performance.now();
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(timeoutFailure(timeoutMs, 'webhook')), timeoutMs);
    // Not AbortSignal.any: it costs more than the rest of the attempt's bookkeeping.
    const stopListening = onAbort(signal, () => deadline.abort(signal.reason));
    const bytes = Buffer.from(body, 'utf8');
    try {
      const answer = await send({
        method: 'POST',
        url: target.url,
        headers: {
          ...target.headers,
          'content-type': 'application/json',
          ...signer.headers(id, now(), body),
        },
        body: bytes,
        contentLength: bytes.length,
        signal: deadline.signal,
        maxResponseBytes: MAX_ANSWER_BYTES,
        cutAnswer: true,
      });
      // Before anything is cut: half a secret is still half a secret.
      const shown = { ...answer, body: redactText(answer.body, secrets) };
      return judgeAnswer(shown, performance.now() - beganMs, now());
    } catch (error) {
      if (signal.aborted) return { kind: 'aborted' };
      return {
        kind: 'failed',
        status: null,
        reason: reasonOf(error),
        throttled: false,
        retryAfterMs: null,
        durationMs: performance.now() - beganMs,
        excerpt: '',
      };
    } finally {
      clearTimeout(timer);
      stopListening();
    }
  };
}
