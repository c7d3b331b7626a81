import { CIRCUIT } from './pacing-constants.ts';

/**
 * What an ended attempt says about whether the far side is there at all.
 * - `up`: it answered for itself, whatever it thought of the file or the credentials.
 * - `down`: nothing came back, or a gateway or the service itself said that it cannot.
 * - `nothing`: aborted, never sent, or this machine's own trouble.
 */
export type CircuitSignal = 'up' | 'down' | 'nothing';

/**
 * - `closed`: all is well.
 * - `suspect`: many failures in a row; nobody new sends until one of the uploads under way tells.
 * - `open`: the destination is down.
 */
export type CircuitState = 'closed' | 'suspect' | 'open';

export interface EndedAttempt {
  /** Milliseconds on any clock that only goes forward. */
  readonly nowMs: number;
  readonly startedAtMs: number;
  /** Names the file: failures of one file alone open nothing. */
  readonly file: string;
  readonly signal: CircuitSignal;
  /** Uploads still under way, this one not included. */
  readonly othersInFlight: number;
  /** Mean round trip; null: none known. */
  readonly roundTripMs: number | null;
}

/** Attempts come by the thousand a second: they are counted, not kept. */
const SPAN_MS = 1_000;

interface Span {
  readonly fromMs: number;
  attempts: number;
  failures: number;
  /** As many of the files that failed as matter. */
  readonly files: Set<string>;
}

interface Row {
  count: number;
  lastAtMs: number;
  readonly files: Set<string>;
}

function newRow(): Row {
  return { count: 0, lastAtMs: Number.NEGATIVE_INFINITY, files: new Set() };
}

/** Tells an outage from single failures. Pure: time comes in with every call. */
export interface Circuit {
  ended(attempt: EndedAttempt): void;
  state(nowMs: number): CircuitState;
  /** When a suspicion becomes an outage by itself; null: there is none. */
  suspectUntilMs(): number | null;
  /** The destination is there again. */
  close(): void;
}

/**
 * Opens after more than five failures in a row, of two files at least and none begun long after the last, unless an upload that is under way succeeds: an
 * overloaded server refuses quickly and in numbers, but finishes what it took. Opens as well when half of what was
 * tried lately failed.
 */
export function createCircuit(): Circuit {
  let row = newRow();
  let recent: Span[] = [];
  let suspectUntilMs: number | null = null;
  let open = false;

  function down({ nowMs, startedAtMs, file, othersInFlight, roundTripMs }: EndedAttempt): void {
    // Failures hours apart are no row: where several processes send, the others may have been well all the while.
    if (startedAtMs - row.lastAtMs > CIRCUIT.windowMs) row = newRow();
    row.lastAtMs = nowMs;
    row.count += 1;
    if (row.files.size < CIRCUIT.leastFiles) row.files.add(file);
    if (mostlyFailing(nowMs)) open = true;
    if (row.count <= CIRCUIT.consecutive || row.files.size < CIRCUIT.leastFiles) return;
    if (othersInFlight === 0) open = true;
    suspectUntilMs ??= nowMs + suspicionMs(roundTripMs);
  }

  function mostlyFailing(nowMs: number): boolean {
    const [first] = recent;
    if (first === undefined || nowMs - first.fromMs < CIRCUIT.leastSpanMs) return false;
    const attempts = recent.reduce((sum, span) => sum + span.attempts, 0);
    const failures = recent.reduce((sum, span) => sum + span.failures, 0);
    const files = new Set(recent.flatMap((span) => [...span.files]));
    return (
      attempts >= CIRCUIT.leastAttempts &&
      failures >= attempts * CIRCUIT.failingShare &&
      files.size >= CIRCUIT.leastFiles
    );
  }

  function note({ nowMs, signal, file }: EndedAttempt): void {
    let span = recent.at(-1);
    if (span === undefined || nowMs - span.fromMs >= SPAN_MS) {
      span = { fromMs: nowMs, attempts: 0, failures: 0, files: new Set() };
      recent = [...recent.filter(({ fromMs }) => nowMs - fromMs < CIRCUIT.windowMs), span];
    }
    span.attempts += 1;
    if (signal !== 'down') return;
    span.failures += 1;
    if (span.files.size < CIRCUIT.leastFiles) span.files.add(file);
  }

  return {
    ended(attempt) {
      const { signal } = attempt;
      if (signal === 'nothing' || open) return;
      note(attempt);
      if (signal === 'down') return down(attempt);
      row = newRow();
      suspectUntilMs = null;
    },
    state(nowMs) {
      if (suspectUntilMs !== null && nowMs >= suspectUntilMs) open = true;
      if (open) return 'open';
      return suspectUntilMs === null ? 'closed' : 'suspect';
    },
    suspectUntilMs: () => suspectUntilMs,
    close() {
      row = newRow();
      recent = [];
      suspectUntilMs = null;
      open = false;
    },
  };
}

function suspicionMs(roundTripMs: number | null): number {
  const wantedMs = (roundTripMs ?? 0) * CIRCUIT.suspicionRoundTrips;
  return Math.min(CIRCUIT.mostSuspicionMs, Math.max(CIRCUIT.leastSuspicionMs, wantedMs));
}

/**
 * How long until one upload tries a destination that is down, in milliseconds.
 * @param tries probes that failed so far
 * @param downForMs since the circuit opened
 * @param random uniform in [0, 1): up to a tenth on top
 */
export function probeDelayMs(tries: number, downForMs: number, random: () => number): number {
  const soonMs = Math.min(CIRCUIT.soonProbeMs, CIRCUIT.firstProbeMs * 2 ** tries);
  const delayMs = Math.min(CIRCUIT.lastProbeMs, Math.max(soonMs, downForMs * CIRCUIT.probeShare));
  return Math.round(delayMs * (1 + random() / 10));
}
