import type { AttemptResult } from '../domain/attempt.ts';
import type { CircuitSignal } from '../pacing/circuit.ts';

/** Nothing came back: a time-out, a connection refused or reset. */
const NO_ANSWER = new Set(['timeout', 'connection']);
/** The request itself is what it cannot do. */
const NOT_DOWN = new Set([501, 505]);

/**
 * What an attempt says about whether the far side is there. A refusal of the file or of the credentials, and a 429, come
 * from a service that works; trouble of the token service or of this machine says nothing.
 */
export function circuitSignal(result: AttemptResult): CircuitSignal {
  if (result.kind === 'uploaded') return 'up';
  if (result.kind !== 'failed') return 'nothing';
  const { kind, code, httpStatus } = result.failure;
  if (code.startsWith('token_')) return 'nothing';
  if (kind !== 'unavailable') return 'up';
  if (httpStatus === null) return NO_ANSWER.has(code) ? 'down' : 'nothing';
  return httpStatus >= 500 && !NOT_DOWN.has(httpStatus) ? 'down' : 'nothing';
}
