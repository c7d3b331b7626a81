import type { AttemptResult } from '../domain/attempt.ts';

/** What the far side, or a gateway before it, answers when it cannot keep up: 502 where nobody behind it took the request. */
const OVERLOADED = new Set([502, 503, 504, 529]);
/** Nothing came back: a time-out, a connection refused or reset. */
const NO_ANSWER = new Set(['timeout', 'connection']);

/**
 * What an attempt says about the far side's capacity, for the adaptive limit. A 500 may be this one file's doing, and
 * trouble of the token service or of this machine is none of the far side's: they slow nobody down.
 */
export function capacitySignal(result: AttemptResult): 'ok' | 'backpressure' | 'neutral' {
  if (result.kind === 'uploaded') return 'ok';
  if (result.kind !== 'failed') return 'neutral';
  const { kind, code, httpStatus } = result.failure;
  if (kind === 'throttled') return 'backpressure';
  if (kind !== 'unavailable') return 'neutral';
  const pushedBack = httpStatus === null ? NO_ANSWER.has(code) : OVERLOADED.has(httpStatus);
  return pushedBack ? 'backpressure' : 'neutral';
}
