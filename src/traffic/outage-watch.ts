import type { AttemptResult, UploadFailure } from '../domain/attempt.ts';
import { errorMessage } from '../domain/errors.ts';
import { type AttemptSignals, isNotTheApi } from '../pacing/attempt-signals.ts';
import { createCircuit } from '../pacing/circuit.ts';
import type { DestinationHealth } from './destination-health.ts';
import type { Suspension } from './suspension.ts';

/** So many answers that are not the API's, before any file was accepted, and the destination is wrong. */
const STRANGE_TO_STOP = 20;

/** An attempt that has ended, as the watch judges it. */
export interface WatchedAttempt {
  readonly result: AttemptResult;
  readonly signal: AttemptSignals['circuit'];
  readonly rttMs: number;
  /** Names it among all files of the destination. */
  readonly file: string;
  /** Uploads still under way, this one not included. */
  readonly othersInFlight: number;
  /** Mean round trip; null: none known. */
  readonly roundTripMs: number | null;
}

/** Tells from attempts that a destination is down, and from probes that it is there again. */
export interface OutageWatch {
  ended(attempt: WatchedAttempt): void;
  /** The suspension has become this. */
  became(health: DestinationHealth): void;
  /** Many failures in a row: nobody new sends until one of the uploads under way tells. */
  isSuspected(): boolean;
  close(): void;
}

/** Neither the token nor the service let this probe through; a file that was not sent at all says nothing. */
function stillStopped({ failure, requests }: Extract<AttemptResult, { kind: 'failed' }>): boolean {
  if (failure.code.startsWith('token_')) return true;
  if (failure.kind === 'unavailable') return requests > 0;
  return failure.kind !== 'rejected' && failure.kind !== 'throttled';
}

/** What stops a destination that has never accepted a file, and where something else answers. */
function notTheApi({ message, httpStatus }: UploadFailure, times: number): UploadFailure {
  const detail = `${times} answers in a row were not this API's and no file was ever accepted (${message}): correct url, or success and answer of the destination`;
  const kind = 'misconfigured';
  return { kind, code: kind, message: errorMessage(kind, { detail }), httpStatus, retryAfterMs: null };
}

/**
 * Answers in a row that were not the API's. Each of those may have stored a file: where no success has shown that answers are
 * read rightly, copies that nobody gets back must not pile up.
 */
function countStrangeAnswers(): { after(result: AttemptResult): UploadFailure | null } {
  let inARow = 0;
  return {
    after(result) {
      if (result.kind === 'uploaded') inARow = 0;
      if (result.kind !== 'failed' || !isNotTheApi(result.failure)) return null;
      inARow += 1;
      return inARow < STRANGE_TO_STOP ? null : notTheApi(result.failure, inARow);
    },
  };
}

/** @param onOutage what failed lately told nothing about capacity */
export function createOutageWatch(options: {
  readonly suspension: Suspension;
  readonly onOutage: () => void;
  /** Whether any process has ever had a file accepted there, as far as is known. */
  readonly hasAccepted: () => boolean;
  /** false: nobody waits for an outage to end. */
  readonly circuit: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}): OutageWatch {
  const { suspension, onOutage, now } = options;
  const circuit = createCircuit();
  let suspicion: NodeJS.Timeout | null = null;
  let probingSinceMs = 0;
  let lastFailure: UploadFailure | null = null;
  const strange = countStrangeAnswers();

  function judge(): void {
    if (suspension.health().kind !== 'running') return;
    if (suspicion !== null) clearTimeout(suspicion);
    suspicion = null;
    const state = circuit.state(now());
    if (state === 'suspect')
      suspicion = setTimeout(judge, Math.max(1, (circuit.suspectUntilMs() ?? 0) - now()));
    if (state !== 'open' || lastFailure === null) return;
    onOutage();
    suspension.suspend('down', lastFailure);
  }

  /** What an attempt says while nobody sends but a probe. */
  function judgeProbe({ result, signal, rttMs }: WatchedAttempt): void {
    const health = suspension.health();
    if (health.kind === 'running') return;
    if (result.kind === 'uploaded' && health.kind !== 'stopped') {
      suspension.resume();
      return;
    }
    // What began before says nothing; whole milliseconds may be one off.
    const isProbe = health.kind === 'probing' && now() - rttMs >= probingSinceMs - 2;
    if (!isProbe) return;
    if (health.of === 'stopped') {
      // One permit a probe: the next file must not find out the same at once.
      if (result.kind === 'failed' && stillStopped(result)) suspension.suspend('stopped', health.failure);
    } else if (signal === 'up') suspension.resume();
    else if (signal === 'down' && result.kind === 'failed') suspension.suspend('down', result.failure);
    if (suspension.health().kind === 'probing') suspension.unanswered();
  }

  return {
    ended(attempt) {
      const { result, signal, rttMs, file, othersInFlight, roundTripMs } = attempt;
      if (signal === 'down' && result.kind === 'failed') lastFailure = result.failure;
      const wrong = strange.after(result);
      if (options.circuit && wrong !== null && !options.hasAccepted()) {
        suspension.suspend('stopped', wrong);
        return;
      }
      if (suspension.health().kind !== 'running') {
        judgeProbe(attempt);
        return;
      }
      if (!options.circuit) return;
      const nowMs = now();
      circuit.ended({ nowMs, startedAtMs: nowMs - rttMs, file, signal, othersInFlight, roundTripMs });
      judge();
    },
    became(health) {
      if (health.kind === 'probing') probingSinceMs = now();
      if (health.kind === 'running') circuit.close();
    },
    isSuspected: () => circuit.state(now()) !== 'closed',
    close() {
      if (suspicion !== null) clearTimeout(suspicion);
    },
  };
}
