import type { AttemptResult } from '../domain/attempt.ts';
import type { FinishedAttempt } from './adaptive-limit.ts';
import type { CircuitSignal } from './circuit.ts';

/** What one attempt tells about the far side, whatever it tells about the file. */
export interface AttemptSignals {
  /** Whether it is there, for the circuit. */
  readonly circuit: CircuitSignal;
  /** How much it can take, for the adaptive limit. */
  readonly capacity: FinishedAttempt['outcome'];
}

const WORKS: AttemptSignals = { circuit: 'up', capacity: 'ok' };
/** It answered for itself: a refusal of the file or of the credentials says nothing about load. */
const ANSWERS: AttemptSignals = { circuit: 'up', capacity: 'neutral' };
/** A 429 comes from a service that works, and is asked for more than it gives. */
const THROTTLES: AttemptSignals = { circuit: 'up', capacity: 'backpressure' };
const GONE: AttemptSignals = { circuit: 'down', capacity: 'backpressure' };
/** A 500 may be this one file's doing: it slows nobody down. */
const BROKEN: AttemptSignals = { circuit: 'down', capacity: 'neutral' };
/** Aborted, never sent, or trouble of this machine or of the token service. */
const SILENT: AttemptSignals = { circuit: 'nothing', capacity: 'neutral' };

/** Nothing came back: a time-out, a connection refused or reset. */
const NO_ANSWER = new Set(['timeout', 'connection']);
/** What the far side, or a gateway before it, answers when it cannot keep up: 502 where nobody behind it took the request. */
const OVERLOADED = new Set([502, 503, 504, 529]);
/** The request itself is what it cannot do. */
const NOT_DOWN = new Set([501, 505]);

/** Reads both signals from one result. Pure. */
export function attemptSignals(result: AttemptResult): AttemptSignals {
  if (result.kind === 'uploaded') return WORKS;
  if (result.kind !== 'failed') return SILENT;
  const { kind, code, httpStatus } = result.failure;
  if (kind === 'throttled') return THROTTLES;
  if (code.startsWith('token_')) return SILENT;
  if (kind !== 'unavailable') return ANSWERS;
  if (httpStatus === null) return NO_ANSWER.has(code) ? GONE : SILENT;
  if (httpStatus < 500 || NOT_DOWN.has(httpStatus)) return SILENT;
  return OVERLOADED.has(httpStatus) ? GONE : BROKEN;
}
