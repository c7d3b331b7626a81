import type { AttemptResult, UploadFailure } from '../domain/attempt.ts';
import type { AttemptSignals } from '../pacing/attempt-signals.ts';
import { createCircuit } from '../pacing/circuit.ts';
import type { DestinationHealth } from './destination-health.ts';
import type { Suspension } from './suspension.ts';

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

/** @param onOutage what failed lately told nothing about capacity */
export function createOutageWatch(options: {
  readonly suspension: Suspension;
  readonly onOutage: () => void;
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
