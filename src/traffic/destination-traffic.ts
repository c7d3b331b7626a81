import type { OpenDestination } from '../destinations/open-destination.ts';
import type { AttemptResult, UploadFailure } from '../domain/attempt.ts';
import { type DestinationBlocker, limitUnder } from '../domain/blocker.ts';
import type { Log } from '../domain/log.ts';
import { type AdaptiveLimit, createAdaptiveLimit } from '../pacing/adaptive-limit.ts';
import { attemptSignals } from '../pacing/attempt-signals.ts';
import { concurrencyAt, type Rate } from '../pacing/known-quota.ts';
import { createLearnedRate, type LearnedRate } from '../pacing/learned-rate.ts';
import type { ConcurrencyOptions } from '../pacing/options.ts';
import { LEARNED } from '../pacing/pacing-constants.ts';
import { createRateMeter, type RateMeter } from '../pacing/rate-meter.ts';
import type { CommonTimes } from './common-times.ts';
import { PROBE_TIMING, type ProbeTiming } from './destination-health.ts';
import { createLastFailure, type LastFailure, type Trouble } from './last-failure.ts';
import { createOutageWatch, type OutageWatch } from './outage-watch.ts';
import { createPermits, type Permits } from './permits.ts';
import { createRatePace, type RatePace, type RatePaceOptions } from './rate-pace.ts';
import { createRetryAfterPause, type RetryAfterPause } from './retry-after-pause.ts';
import { type SharedDestination, unsharedDestination } from './shared-destination.ts';
import { shareLearnedRate } from './shared-rate.ts';
import { createSuspension, type Suspension } from './suspension.ts';
import { createTokenOutage, type TokenOutage } from './token-outage.ts';
import { createUnprovenRefusals, type UnprovenRefusals } from './unproven-refusals.ts';
import { createUploadsInProgress, type UploadInProgress } from './uploads-in-progress.ts';

/** What the runtime needs of a destination. */
export type RunnableDestination = Omit<OpenDestination, 'definition' | 'tokenProblem' | 'as' | 'remote'>;

/** How fast it goes, for `status`. */
export interface Pace {
  /** Configured, documented or learned quota; null: none known. */
  readonly quotaPerSecond: number | null;
  /** Uploads sent per second lately, and the share of them that was throttled. */
  readonly sentPerSecond: number;
  readonly throttledShare: number;
  /** Mean round trip in milliseconds; null before the first answer. */
  readonly roundTripMs: number | null;
}

/** Everything this process knows about one destination while it runs. */
export interface DestinationTraffic {
  readonly destination: RunnableDestination;
  readonly permits: Permits;
  readonly refusals: UnprovenRefusals;
  /** All that keeps files from being sent there; the limit, and whether workers take jobs, follow from it. */
  blockers(): readonly DestinationBlocker[];
  /** When a file was last accepted, from any process, and now: what a failure is judged by. */
  times(): CommonTimes;
  /** Milliseconds since the epoch of the last file accepted, or look got through, in this process; null before it. */
  lastProgressAtMs(): number | null;
  limit(): number;
  pace(): Pace;
  /** Why files are failing for now, in one line, and since when, milliseconds since the epoch; null since the last success. */
  trouble(): Trouble | null;
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
  /** Called whenever `blockers` may have changed. */
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

// Over 80 lines: puts the parts of a destination together; every line here is a wire between two of them, the rules are in the parts.
/** Starts looking after one destination. */
export function openDestinationTraffic(options: DestinationTrafficOptions): DestinationTraffic {
  const { destination, rate, log, now, probe = PROBE_TIMING, circuit = true } = options;
  const { name } = destination;
  const shared = options.shared ?? unsharedDestination(rate, now);
  const adaptive = createAdaptiveLimit(concurrencyAt(rate, options.concurrency));
  const listeners = new Set<() => void>();
  const trouble = createLastFailure(now);
  const moving = createUploadsInProgress(now);
  const sent = createRateMeter(now);
  let closed = false;

  const learned = createLearnedRate();
  const sharedRate = rate === null ? shareLearnedRate(learned, shared, () => performance.now()) : null;
  const pace = createRatePace({
    ...paceRates(rate, learned),
    ...{ reserve: shared.reserve, now: () => performance.now(), onReady: () => permits.pump() },
  });
  const permits = createPermits(limit, pace.take);
  const refusals = createUnprovenRefusals(() => Math.max(0, options.inHand() - refusals.held()), now);
  const gate = createRetryAfterPause({ destination: name, shared, log, now, onChange: changed });
  const suspension = createSuspension({
    ...{ destination: name, shared, stoppedTiming: probe, log, now, random: Math.random },
    onChange(health) {
      outages.became(health);
      changed();
      // An outage may be over in a moment: who waits for a permit keeps its place.
      if (health.kind !== 'stopped') return;
      permits.dismiss();
      refusals.suspend();
    },
  });
  const outages = createOutageWatch({
    ...{ suspension, circuit, now, onOutage: adaptive.outage },
    hasAccepted() {
      const { lastSuccessAtMs, heardSuccessAtMs } = shared.times();
      return lastSuccessAtMs !== null || heardSuccessAtMs !== null;
    },
  });
  const tokenOutage = createTokenOutage({ destination: name, log, now, onChange: changed });
  shared.onView(({ liftedAgoMs }) => tokenOutage.lifted(liftedAgoMs));
  const tokenLook = setInterval(() => void lookAtToken(), TOKEN_LOOK_MS);

  function blockers(): readonly DestinationBlocker[] {
    const all = [suspension.blocker(), tokenOutage.blocker(), gate.blocker(), refusals.blocker()];
    return all.filter((blocker) => blocker !== null);
  }

  function limit(): number {
    const most = rate === null && options.concurrency.adaptive ? learned.mostAtOnce() : null;
    const mayBe = Math.min(adaptive.limit(), most ?? Number.POSITIVE_INFINITY);
    return limitUnder(blockers(), outages.isSuspected() ? 0 : mayBe);
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

  const finished = whenFinished({
    ...{ adaptive, suspension, outages, tokenOutage, gate, pace, sent, trouble, permits },
    ...{ circuit, now, learned: rate === null ? learned : null },
    onLearned: () => sharedRate?.tell(),
    onSuccess(startedAtMs) {
      shared.succeeded();
      refusals.succeeded(startedAtMs);
    },
  });

  return {
    ...{ destination, permits, refusals, blockers, limit, finished },
    times: shared.times,
    lastProgressAtMs: trouble.lastProgressAtMs,
    trouble: trouble.now,
    looked: trouble.looked,
    movingSinceMs: moving.movingSinceMs,
    pace: () => paceOf(rate?.perSecond ?? learned.perSecond(), sent.read(), adaptive.snapshot().rttMs),
    started() {
      suspension.attempted();
      tokenOutage.attempted();
      adaptive.started(now(), permits.inFlight());
      return moving.started();
    },
    stop: (failure) => suspension.suspend('stopped', failure),
    onChange: (listener) => void listeners.add(listener),
    async close() {
      closed = true;
      clearInterval(tokenLook);
      for (const part of [outages, suspension, tokenOutage, gate, pace, refusals]) part.close();
      permits.dismiss();
      await shared.close();
      await destination.close();
    },
  };
}

/** Tells every part of a destination how an attempt has ended. */
function whenFinished(parts: {
  readonly adaptive: AdaptiveLimit;
  readonly suspension: Suspension;
  readonly outages: OutageWatch;
  readonly tokenOutage: TokenOutage;
  readonly gate: RetryAfterPause;
  readonly pace: RatePace;
  readonly sent: RateMeter;
  readonly trouble: LastFailure;
  readonly permits: Permits;
  /** null: the quota is known. */
  readonly learned: LearnedRate | null;
  readonly onLearned: () => void;
  readonly circuit: boolean;
  /** @param startedAtMs when the upload began that was accepted, milliseconds since the epoch */
  readonly onSuccess: (startedAtMs: number) => void;
  readonly now: () => number;
}): DestinationTraffic['finished'] {
  const { adaptive, suspension, outages, tokenOutage, gate, pace, sent, trouble, permits, now } = parts;
  return (result, { rttMs, bytes, file }) => {
    const health = suspension.health();
    const { circuit: signal, capacity } = attemptSignals(result);
    // What fails while the destination is down tells nothing about how much it can take.
    const outcome = health.kind === 'running' || capacity === 'ok' ? capacity : 'neutral';
    adaptive.finished({ nowMs: now(), rttMs, bytes, outcome });
    const throttled = result.kind === 'failed' && result.failure.kind === 'throttled';
    if (result.kind !== 'aborted' && result.requests > 0) sent.add(1, throttled ? 1 : 0);
    else pace.refund();
    if (throttled) gate.asked(result.failure.retryAfterMs);
    if (parts.learned !== null && health.kind === 'running') {
      learn(parts.learned, result, rttMs, adaptive.limit() <= FEW);
      parts.onLearned();
    }
    const othersInFlight = Math.max(0, permits.inFlight() - 1);
    const { rttMs: roundTripMs } = adaptive.snapshot();
    outages.ended({ result, signal, rttMs, file, othersInFlight, roundTripMs });
    // A stop has probes of its own, which ask for the token too.
    const stopped = health.kind === 'stopped' || (health.kind === 'probing' && health.of === 'stopped');
    if (parts.circuit && !stopped) tokenOutage.ended(result, now() - rttMs);
    trouble.attempted(result);
    if (result.kind === 'uploaded') parts.onSuccess(now() - rttMs);
    permits.pump();
  };
}

function paceRates(
  rate: Rate | null,
  learned: LearnedRate,
): Pick<RatePaceOptions, 'perSecond' | 'fastest' | 'restMs'> {
  if (rate !== null) return { perSecond: () => rate.perSecond, fastest: rate.perSecond };
  return {
    perSecond: learned.perSecond,
    fastest: LEARNED.most,
    restMs: () => learned.restMs(performance.now()),
  };
}

/** So few at once are not too many for anybody: a 503 is about the rate then, as nginx answers where it limits one. */
const FEW = 2;

/** A 429 is about a rate, whatever else it is about. */
function learn(learned: LearnedRate, result: AttemptResult, rttMs: number, areFew: boolean): void {
  const nowMs = performance.now();
  const attempt = { startedAtMs: nowMs - rttMs, nowMs };
  if (result.kind === 'uploaded') learned.accepted(attempt);
  if (result.kind !== 'failed') return;
  const { kind, httpStatus, retryAfterMs } = result.failure;
  if (kind === 'throttled') learned.throttled(attempt, retryAfterMs !== null);
  else if (httpStatus === 503 && areFew) learned.unavailable(attempt);
}

/** @param sent files: uploads sent; bytes: how many of them were throttled */
function paceOf(
  perSecond: number | null,
  sent: ReturnType<RateMeter['read']>,
  roundTripMs: number | null,
): Pace {
  const { filesPerSecond, bytesPerSecond } = sent;
  return {
    quotaPerSecond: perSecond,
    sentPerSecond: filesPerSecond,
    throttledShare: filesPerSecond < 0.01 ? 0 : Math.min(1, bytesPerSecond / filesPerSecond),
    roundTripMs,
  };
}
