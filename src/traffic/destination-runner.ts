import type { OpenDestination } from '../destinations/open-destination.ts';
import type { AttemptResult, UploadFailure } from '../domain/attempt.ts';
import type { Log } from '../domain/log.ts';
import { type AdaptiveLimit, createAdaptiveLimit } from '../pacing/adaptive-limit.ts';
import { capacitySignal } from '../pacing/capacity-signal.ts';
import { type Circuit, createCircuit } from '../pacing/circuit.ts';
import { circuitSignal } from '../pacing/circuit-signal.ts';
import { concurrencyAt, type Rate } from '../pacing/known-quota.ts';
import type { ConcurrencyOptions } from '../pacing/options.ts';
import { createRateMeter } from '../pacing/rate-meter.ts';
import type { CommonTimes } from './common-times.ts';
import { createGate } from './destination-gate.ts';
import { type DestinationHealth, PROBE_TIMING, type ProbeTiming } from './destination-health.ts';
import { createDestinationTrouble } from './destination-trouble.ts';
import { createMovingUploads, type MovingUpload } from './moving-uploads.ts';
import { createPermits, type Permits } from './permits.ts';
import { createRatePace } from './rate-pace.ts';
import { createRefusalHold, type RefusalHold } from './refusal-hold.ts';
import { type SharedDestination, unsharedDestination } from './shared-destination.ts';
import { createStandstill } from './standstill.ts';
import { createTokenHold } from './token-hold.ts';

export { type DestinationHealth, PROBE_TIMING, type ProbeTiming } from './destination-health.ts';

/** What the runtime needs of a destination. */
export type RunnableDestination = Omit<OpenDestination, 'definition' | 'tokenProblem'>;

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
export interface DestinationRunner {
  readonly destination: RunnableDestination;
  readonly permits: Permits;
  readonly refusals: RefusalHold;
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
  started(): MovingUpload;
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

export interface RunnerFacts {
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
export function runDestination(facts: RunnerFacts): DestinationRunner {
  const { destination, rate, log, now, probe = PROBE_TIMING } = facts;
  const shared = facts.shared ?? unsharedDestination(rate, now);
  const adaptive: AdaptiveLimit = createAdaptiveLimit(concurrencyAt(rate, facts.concurrency));
  const circuit: Circuit = createCircuit();
  const listeners = new Set<() => void>();
  const trouble = createDestinationTrouble(now);
  const moving = createMovingUploads(now);
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
  const refusals = createRefusalHold(() => Math.max(0, facts.inHand() - refusals.held()));
  const gate = createGate({ destination: destination.name, shared, log, now, onChange: changed });
  const standstill = createStandstill({
    ...{ destination: destination.name, shared, stoppedTiming: probe, log, now, random: Math.random },
    onChange(health) {
      if (health.kind === 'probing') probingSinceMs = now();
      if (health.kind === 'running') circuit.close();
      changed();
      // An outage may be over in a moment: who waits for a permit keeps its place.
      if (health.kind === 'stopped') permits.dismiss();
    },
  });
  const tokenHold = createTokenHold({ destination: destination.name, log, now, onChange: changed });
  shared.onView(({ liftedAgoMs }) => tokenHold.lifted(liftedAgoMs));
  const tokenLook = setInterval(() => void lookAtToken(), TOKEN_LOOK_MS);

  function limit(): number {
    const kinds = [standstill.health().kind, tokenHold.health().kind];
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
    if (standstill.health().kind !== 'stopped') return;
    if (await destination.tokenChanged().catch(() => false)) standstill.hurry();
  }

  function judgeCircuit(): void {
    if (standstill.health().kind !== 'running') return;
    if (suspicion !== null) clearTimeout(suspicion);
    suspicion = null;
    const state = circuit.state(now());
    if (state === 'suspect')
      suspicion = setTimeout(judgeCircuit, Math.max(1, (circuit.suspectUntilMs() ?? 0) - now()));
    if (state !== 'open' || lastFailure === null) return;
    adaptive.outage();
    standstill.begin('down', lastFailure);
  }

  /** What an attempt says while nobody sends but a probe. */
  function judgeProbe(result: AttemptResult, rttMs: number): void {
    const health = standstill.health();
    if (health.kind === 'running') return;
    if (result.kind === 'uploaded' && health.kind !== 'stopped') {
      standstill.end();
      return;
    }
    const startedAtMs = now() - rttMs;
    // What began before says nothing; whole milliseconds may be one off.
    const isProbe = health.kind === 'probing' && startedAtMs >= probingSinceMs - 2;
    if (!isProbe) return;
    const signal = circuitSignal(result);
    if (health.of === 'stopped') {
      // One permit a probe: the next file must not find out the same at once.
      if (result.kind === 'failed' && stillStopped(result)) standstill.begin('stopped', health.failure);
    } else if (signal === 'up') standstill.end();
    else if (signal === 'down' && result.kind === 'failed') standstill.begin('down', result.failure);
    if (standstill.health().kind === 'probing') standstill.unanswered();
  }

  return {
    destination,
    permits,
    refusals,
    health() {
      const health = standstill.health();
      return health.kind === 'running' ? tokenHold.health() : health;
    },
    takesJobs() {
      const kinds = [standstill.health().kind, tokenHold.health().kind];
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
      standstill.attempted();
      tokenHold.attempted();
      adaptive.started(now(), permits.inFlight());
      return moving.started();
    },
    movingSinceMs: moving.movingSinceMs,
    finished(result, { rttMs, bytes, file }) {
      const atMs = now();
      const health = standstill.health();
      const running = health.kind === 'running';
      const stopped = health.kind === 'stopped' || (health.kind === 'probing' && health.of === 'stopped');
      const capacity = capacitySignal(result);
      // What fails while the destination is down tells nothing about how much it can take.
      const outcome = running || capacity === 'ok' ? capacity : 'neutral';
      adaptive.finished({ nowMs: atMs, rttMs, bytes, outcome });
      const throttled = result.kind === 'failed' && result.failure.kind === 'throttled';
      if (result.kind !== 'aborted' && result.requests > 0) sent.add(1, throttled ? 1 : 0);
      else pace.refund();
      if (result.kind === 'failed') {
        lastFailure = circuitSignal(result) === 'down' ? result.failure : lastFailure;
        if (throttled) gate.asked(result.failure.retryAfterMs);
      }
      if (running && facts.circuit !== false) {
        const othersInFlight = Math.max(0, permits.inFlight() - 1);
        const { rttMs: roundTripMs } = adaptive.snapshot();
        const ended = { nowMs: atMs, startedAtMs: atMs - rttMs, file, signal: circuitSignal(result) };
        circuit.ended({ ...ended, othersInFlight, roundTripMs });
        judgeCircuit();
      } else if (!running) judgeProbe(result, rttMs);
      // A stop has probes of its own, which ask for the token too.
      if (facts.circuit !== false && !stopped) tokenHold.ended(result, atMs - rttMs);
      trouble.attempted(result);
      if (result.kind === 'uploaded') {
        shared.succeeded();
        refusals.succeeded();
      }
      permits.pump();
    },
    looked: trouble.looked,
    stop: (failure) => standstill.begin('stopped', failure),
    onChange: (listener) => void listeners.add(listener),
    async close() {
      closed = true;
      clearInterval(tokenLook);
      if (suspicion !== null) clearTimeout(suspicion);
      standstill.close();
      tokenHold.close();
      gate.close();
      pace.close();
      refusals.close();
      permits.dismiss();
      await shared.close();
      await destination.close();
    },
  };
}
