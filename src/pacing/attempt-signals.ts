import type { AttemptResult, UploadFailure } from '../domain/attempt.ts';
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
/** A 500 may be this one file's doing, and a page in front of the API is none of its load: they slow nobody down. */
const BROKEN: AttemptSignals = { circuit: 'down', capacity: 'neutral' };
/** Aborted, never sent, or trouble of this machine or of the token service. */
const SILENT: AttemptSignals = { circuit: 'nothing', capacity: 'neutral' };

/** Nothing came back: a time-out, a connection refused or reset. */
const NO_ANSWER = new Set(['timeout', 'connection']);
/** What the far side, or a gateway before it, answers when it cannot keep up: 502 where nobody behind it took the request. */
const OVERLOADED = new Set([502, 503, 504, 529]);
/** The request itself is what it cannot do, or not just now: a conflict, a time-out of the request, too early. */
const NOT_DOWN = new Set([408, 409, 425, 501, 505]);
/** Whatever answers there, it is not the API: a portal, a challenge, a page of a gateway. It says nothing about the file. */
const NOT_THE_API = new Set(['bad_answer', 'answer_too_large']);

/** Whether an attempt was answered by something that is not the API. */
export function isNotTheApi(failure: Pick<UploadFailure, 'code'>): boolean {
  return NOT_THE_API.has(failure.code);
}

/** Reads both signals from one result. Pure. */
export function attemptSignals(result: AttemptResult): AttemptSignals {
  if (result.kind === 'uploaded') return WORKS;
  if (result.kind !== 'failed') return SILENT;
  const { kind, code, httpStatus } = result.failure;
  if (kind === 'throttled') return THROTTLES;
  if (code.startsWith('token_')) return SILENT;
  if (kind !== 'unavailable') return ANSWERS;
  if (NOT_THE_API.has(code)) return BROKEN;
  if (httpStatus === null) return NO_ANSWER.has(code) ? GONE : SILENT;
  // A link that is too slow for a file in parts.
  if (NOT_DOWN.has(httpStatus) || code === 'parts_expired') return SILENT;
  return OVERLOADED.has(httpStatus) ? GONE : BROKEN;
}
