import type { OpenDestination } from '../destinations/open-destination.ts';
import type { AttemptResult, UploadFailure } from '../domain/attempt.ts';
import type { Log } from '../domain/log.ts';
import { type AdaptiveLimit, createAdaptiveLimit } from '../pacing/adaptive-limit.ts';
import { attemptSignals } from '../pacing/attempt-signals.ts';
import { type Circuit, createCircuit } from '../pacing/circuit.ts';
import { concurrencyAt, type Rate } from '../pacing/known-quota.ts';
import type { ConcurrencyOptions } from '../pacing/options.ts';
import { createRateMeter } from '../pacing/rate-meter.ts';
import type { CommonTimes } from './common-times.ts';
import { type DestinationHealth, PROBE_TIMING, type ProbeTiming } from './destination-health.ts';
import { createLastFailure } from './last-failure.ts';
import { createPermits, type Permits } from './permits.ts';
import { createRatePace } from './rate-pace.ts';
import { createRetryAfterPause } from './retry-after-pause.ts';
import { type SharedDestination, unsharedDestination } from './shared-destination.ts';
import { createSuspension } from './suspension.ts';
import { createTokenOutage } from './token-outage.ts';
import { createUnprovenRefusals, type UnprovenRefusals } from './unproven-refusals.ts';
import { createUploadsInProgress, type UploadInProgress } from './uploads-in-progress.ts';

export { type DestinationHealth, PROBE_TIMING, type ProbeTiming } from './destination-health.ts';

/** What the runtime needs of a destination. */
export type RunnableDestination = Omit<OpenDestination, 'definition' | 'tokenProblem' | 'as' | 'remote'>;

/** How fast it goes, for `status`. */
export interface Pace {
  /** Configured or documented quota; null: none known. */
  readonly quotaPerSecond: number | null;
  /** Uploads sent per second lately, and the share of them that was throttled. */
  readonly sentPerSecond: number;
  readonly throttledShare: number;
  /** Mean round trip in milliseconds; null before the first answer. */
  readonly roundTripMs: number | null;
  /** Milliseconds since the epoch until which nobody sends (Retry-After); null: no such wait. */
  readonly resumesAtMs: number | null;
}

/** Everything this process knows about one destination while it runs. */
export interface DestinationTraffic {
  readonly destination: RunnableDestination;
  readonly permits: Permits;
  readonly refusals: UnprovenRefusals;
  health(): DestinationHealth;
  /** Whether workers may take more of its jobs. */
  takesJobs(): boolean;
  /** When a file was last accepted, from any process, and now: what a failure is judged by. */
  times(): CommonTimes;
  /** Milliseconds since the epoch of the last file accepted, or look got through, in this process; null before it. */
  lastProgressAtMs(): number | null;
  limit(): number;
  pace(): Pace;
  /** Why files are failing for now, in one line; null since the last success. */
  trouble(): string | null;
  /** When that began, milliseconds since the epoch: the first failure since the last success. */
  troubleSinceMs(): number | null;
  /** Told when an attempt begins and how it ended; the limit learns from it. */
  started(): UploadInProgress;
  /** When the oldest upload began whose bytes move; null: none does. */
  movingSinceMs(): number | null;
  /** @param facts.file names it among all files of the destination */
  finished(
    result: AttemptResult,
    facts: { readonly rttMs: number; readonly bytes: number; readonly file: string },
  ): void;
  /** Told of every look at an accepted file: why it told nothing, null when it did. Says nothing about capacity. */
  looked(failure: UploadFailure | null): void;
  stop(failure: UploadFailure): void;
  /** Called whenever what `takesJobs` says may have changed. */
  onChange(listener: () => void): void;
  close(): Promise<void>;
}

export interface DestinationTrafficOptions {
  readonly destination: RunnableDestination;
  readonly concurrency: ConcurrencyOptions;
  readonly rate: Rate | null;
  /** Jobs of this destination in this process, whatever they wait for. */
  readonly inHand: () => number;
  /** What all processes know together; left out, this process is alone. */
  readonly shared?: SharedDestination;
  /** false: nobody waits for an outage to end, every file fails for itself. */
  readonly circuit?: boolean;
  readonly log: Log;
  readonly now: () => number;
  readonly probe?: ProbeTiming;
}

/** How often a stopped destination's token is looked at. */
const TOKEN_LOOK_MS = 5_000;

/** Neither the token nor the service let this probe through; a file that was not sent at all says nothing. */
function stillStopped({ failure, requests }: Extract<AttemptResult, { kind: 'failed' }>): boolean {
  if (failure.code.startsWith('token_')) return true;
  if (failure.kind === 'unavailable') return requests > 0;
  return failure.kind !== 'rejected' && failure.kind !== 'throttled';
}

/** Starts looking after one destination. */
export function openDestinationTraffic(options: DestinationTrafficOptions): DestinationTraffic {
  const { destination, rate, log, now, probe = PROBE_TIMING } = options;
  const shared = options.shared ?? unsharedDestination(rate, now);
  const adaptive: AdaptiveLimit = createAdaptiveLimit(concurrencyAt(rate, options.concurrency));
  const circuit: Circuit = createCircuit();
  const listeners = new Set<() => void>();
  const trouble = createLastFailure(now);
  const moving = createUploadsInProgress(now);
  const sent = createRateMeter(now);
  let suspicion: NodeJS.Timeout | null = null;
  let probingSinceMs = 0;
  let lastFailure: UploadFailure | null = null;
  let closed = false;

  const pace = createRatePace({
    ...{ rate, reserve: shared.reserve, now: () => performance.now() },
    onReady: () => permits.pump(),
  });
  const permits = createPermits(limit, pace.take);
  const refusals = createUnprovenRefusals(() => Math.max(0, options.inHand() - refusals.held()));
  const gate = createRetryAfterPause({ destination: destination.name, shared, log, now, onChange: changed });
  const suspension = createSuspension({
    ...{ destination: destination.name, shared, stoppedTiming: probe, log, now, random: Math.random },
    onChange(health) {
      if (health.kind === 'probing') probingSinceMs = now();
      if (health.kind === 'running') circuit.close();
      changed();
      // An outage may be over in a moment: who waits for a permit keeps its place.
      if (health.kind === 'stopped') permits.dismiss();
    },
  });
  const tokenOutage = createTokenOutage({ destination: destination.name, log, now, onChange: changed });
  shared.onView(({ liftedAgoMs }) => tokenOutage.lifted(liftedAgoMs));
  const tokenLook = setInterval(() => void lookAtToken(), TOKEN_LOOK_MS);

  function limit(): number {
    const kinds = [suspension.health().kind, tokenOutage.health().kind];
    if (kinds.includes('stopped') || kinds.includes('down') || gate.isShut()) return 0;
    if (kinds.includes('probing')) return 1;
    return circuit.state(now()) === 'closed' ? adaptive.limit() : 0;
  }

  function changed(): void {
    if (closed) return;
    if (gate.handsBack()) permits.dismiss();
    for (const listener of listeners) listener();
    permits.pump();
  }

  /** A stopped destination goes on by itself once there is another token. */
  async function lookAtToken(): Promise<void> {
    if (suspension.health().kind !== 'stopped') return;
    if (await destination.tokenChanged().catch(() => false)) suspension.probeNow();
  }

  function judgeCircuit(): void {
    if (suspension.health().kind !== 'running') return;
    if (suspicion !== null) clearTimeout(suspicion);
    suspicion = null;
    const state = circuit.state(now());
    if (state === 'suspect')
      suspicion = setTimeout(judgeCircuit, Math.max(1, (circuit.suspectUntilMs() ?? 0) - now()));
    if (state !== 'open' || lastFailure === null) return;
    adaptive.outage();
    suspension.suspend('down', lastFailure);
  }

  /** What an attempt says while nobody sends but a probe. */
  function judgeProbe(result: AttemptResult, rttMs: number): void {
    const health = suspension.health();
    if (health.kind === 'running') return;
    if (result.kind === 'uploaded' && health.kind !== 'stopped') {
      suspension.resume();
      return;
    }
    const startedAtMs = now() - rttMs;
    // What began before says nothing; whole milliseconds may be one off.
    const isProbe = health.kind === 'probing' && startedAtMs >= probingSinceMs - 2;
    if (!isProbe) return;
    const signal = attemptSignals(result).circuit;
    if (health.of === 'stopped') {
      // One permit a probe: the next file must not find out the same at once.
      if (result.kind === 'failed' && stillStopped(result)) suspension.suspend('stopped', health.failure);
    } else if (signal === 'up') suspension.resume();
    else if (signal === 'down' && result.kind === 'failed') suspension.suspend('down', result.failure);
    if (suspension.health().kind === 'probing') suspension.unanswered();
  }

  return {
    destination,
    permits,
    refusals,
    health() {
      const health = suspension.health();
      return health.kind === 'running' ? tokenOutage.health() : health;
    },
    takesJobs() {
      const kinds = [suspension.health().kind, tokenOutage.health().kind];
      return kinds.every((kind) => kind === 'running' || kind === 'probing') && !gate.isShut();
    },
    times: shared.times,
    lastProgressAtMs: trouble.lastProgressAtMs,
    limit,
    pace() {
      const { filesPerSecond, bytesPerSecond } = sent.read();
      return {
        quotaPerSecond: rate?.perSecond ?? null,
        sentPerSecond: filesPerSecond,
        throttledShare: filesPerSecond < 0.01 ? 0 : Math.min(1, bytesPerSecond / filesPerSecond),
        roundTripMs: adaptive.snapshot().rttMs,
        resumesAtMs: gate.untilMs(),
      };
    },
    trouble: trouble.reason,
    troubleSinceMs: trouble.sinceMs,
    started() {
      suspension.attempted();
      tokenOutage.attempted();
      adaptive.started(now(), permits.inFlight());
      return moving.started();
    },
    movingSinceMs: moving.movingSinceMs,
    finished(result, { rttMs, bytes, file }) {
      const atMs = now();
      const health = suspension.health();
      const running = health.kind === 'running';
      const stopped = health.kind === 'stopped' || (health.kind === 'probing' && health.of === 'stopped');
      const { circuit: signal, capacity } = attemptSignals(result);
      // What fails while the destination is down tells nothing about how much it can take.
      const outcome = running || capacity === 'ok' ? capacity : 'neutral';
      adaptive.finished({ nowMs: atMs, rttMs, bytes, outcome });
      const throttled = result.kind === 'failed' && result.failure.kind === 'throttled';
      if (result.kind !== 'aborted' && result.requests > 0) sent.add(1, throttled ? 1 : 0);
      else pace.refund();
      if (result.kind === 'failed') {
        lastFailure = signal === 'down' ? result.failure : lastFailure;
        if (throttled) gate.asked(result.failure.retryAfterMs);
      }
      if (running && options.circuit !== false) {
        const othersInFlight = Math.max(0, permits.inFlight() - 1);
        const { rttMs: roundTripMs } = adaptive.snapshot();
        const ended = { nowMs: atMs, startedAtMs: atMs - rttMs, file, signal };
        circuit.ended({ ...ended, othersInFlight, roundTripMs });
        judgeCircuit();
      } else if (!running) judgeProbe(result, rttMs);
      // A stop has probes of its own, which ask for the token too.
      if (options.circuit !== false && !stopped) tokenOutage.ended(result, atMs - rttMs);
      trouble.attempted(result);
      if (result.kind === 'uploaded') {
        shared.succeeded();
        refusals.succeeded();
      }
      permits.pump();
    },
    looked: trouble.looked,
    stop: (failure) => suspension.suspend('stopped', failure),
    onChange: (listener) => void listeners.add(listener),
    async close() {
      closed = true;
      clearInterval(tokenLook);
      if (suspicion !== null) clearTimeout(suspicion);
      suspension.close();
      tokenOutage.close();
      gate.close();
      pace.close();
      refusals.close();
      permits.dismiss();
      await shared.close();
      await destination.close();
    },
  };
}
