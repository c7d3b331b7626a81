import type { OpenDestination } from '../destinations/open-destination.ts';
import type { AttemptResult, UploadFailure } from '../domain/attempt.ts';
import type { Log } from '../domain/log.ts';
import { type AdaptiveLimit, createAdaptiveLimit } from '../pacing/adaptive-limit.ts';
import type { ConcurrencyOptions } from '../pacing/options.ts';
import { capacitySignal } from './capacity-signal.ts';
import { createMovingUploads, type MovingUpload } from './moving-uploads.ts';
import { createPermits, type Permits } from './permits.ts';
import { createRefusalHold, type RefusalHold } from './refusal-hold.ts';

/**
 * - `running`: permits are given as the limit allows.
 * - `stopped`: the far side refuses our credentials, clock or account; nobody sends. Ends with a probe.
 * - `probing`: one upload at a time tries whether it has been mended; ends as running or stopped.
 */
export type DestinationHealth =
  | { readonly kind: 'running' }
  | {
      readonly kind: 'stopped';
      readonly failure: UploadFailure;
      readonly sinceMs: number;
      readonly probeAtMs: number;
    }
  | { readonly kind: 'probing'; readonly failure: UploadFailure; readonly sinceMs: number };

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** How long a stopped destination is left alone before one upload tries it again; doubles with every failed try. */
export interface ProbeTiming {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** A person who has just logged in again does not want to wait; one who is asleep does not want it hammered. */
export const PROBE_TIMING: ProbeTiming = { firstMs: 15 * SECOND, lastMs: 5 * MINUTE };

/** What the runtime needs of a destination. */
export type RunnableDestination = Omit<OpenDestination, 'definition' | 'tokenProblem'>;

/** Everything this process knows about one destination while it runs. */
export interface DestinationRunner {
  readonly destination: RunnableDestination;
  readonly permits: Permits;
  readonly refusals: RefusalHold;
  health(): DestinationHealth;
  /** Milliseconds since the epoch of the last accepted file in this process; null before the first. */
  lastSuccessAtMs(): number | null;
  /** The same, looks at accepted files that got through included. */
  lastProgressAtMs(): number | null;
  limit(): number;
  /** Why files are failing for now, in one line; null since the last success. */
  trouble(): string | null;
  /** When that began, milliseconds since the epoch: the first failure since the last success. */
  troubleSinceMs(): number | null;
  /** Told when an attempt begins and how it ended; the limit learns from it. */
  started(): MovingUpload;
  /** When the oldest upload began whose bytes move; null: none does. */
  movingSinceMs(): number | null;
  finished(result: AttemptResult, facts: { readonly rttMs: number; readonly bytes: number }): void;
  /** Told of every look at an accepted file: why it told nothing, null when it did. Says nothing about capacity. */
  looked(failure: UploadFailure | null): void;
  stop(failure: UploadFailure): void;
  /** Called whenever the health changes. */
  onHealth(listener: (health: DestinationHealth) => void): void;
  close(): Promise<void>;
}

/** Starts looking after one destination. */
export function runDestination(options: {
  readonly destination: RunnableDestination;
  readonly concurrency: ConcurrencyOptions;
  /** Jobs of this destination in this process, whatever they wait for. */
  readonly inHand: () => number;
  readonly log: Log;
  readonly now: () => number;
  readonly probe?: ProbeTiming;
}): DestinationRunner {
  const { destination, log, now, probe = PROBE_TIMING } = options;
  const adaptive: AdaptiveLimit = createAdaptiveLimit(options.concurrency);
  const listeners = new Set<(health: DestinationHealth) => void>();
  let health: DestinationHealth = { kind: 'running' };
  let lastSuccessAtMs: number | null = null;
  let lastLookAtMs: number | null = null;
  let uploadTrouble: string | null = null;
  let lookTrouble: string | null = null;
  let troubleSinceMs: number | null = null;
  let probeDelayMs = probe.firstMs;
  let probeTimer: NodeJS.Timeout | null = null;

  const moving = createMovingUploads(now);
  const permits = createPermits(limit);
  const refusals = createRefusalHold(() => Math.max(0, options.inHand() - refusals.held()));

  function limit(): number {
    if (health.kind === 'stopped') return 0;
    return health.kind === 'probing' ? 1 : adaptive.limit();
  }

  function become(next: DestinationHealth): void {
    health = next;
    for (const listener of listeners) listener(next);
    permits.pump();
  }

  function stop(failure: UploadFailure): void {
    if (health.kind === 'stopped') return;
    const sinceMs = health.kind === 'probing' ? health.sinceMs : now();
    log.error(
      { destination: destination.name, code: failure.code, retryInMs: probeDelayMs },
      `destination ${destination.name} is stopped, its files are kept: ${failure.message}`,
    );
    probeTimer = setTimeout(() => become({ kind: 'probing', failure, sinceMs }), probeDelayMs);
    become({ kind: 'stopped', failure, sinceMs, probeAtMs: now() + probeDelayMs });
    probeDelayMs = Math.min(probeDelayMs * 2, probe.lastMs);
    permits.dismiss();
  }

  function succeeded(): void {
    lastSuccessAtMs = now();
    uploadTrouble = null;
    noteTrouble();
    refusals.succeeded();
    if (health.kind !== 'probing') return;
    probeDelayMs = probe.firstMs;
    log.info({ destination: destination.name }, `destination ${destination.name} accepts files again`);
    become({ kind: 'running' });
  }

  function noteTrouble(): void {
    if (uploadTrouble === null && lookTrouble === null) troubleSinceMs = null;
    else troubleSinceMs ??= now();
  }

  return {
    destination,
    permits,
    refusals,
    health: () => health,
    lastSuccessAtMs: () => lastSuccessAtMs,
    lastProgressAtMs: () =>
      lastSuccessAtMs === null || lastLookAtMs === null
        ? (lastSuccessAtMs ?? lastLookAtMs)
        : Math.max(lastSuccessAtMs, lastLookAtMs),
    limit,
    trouble: () => uploadTrouble ?? lookTrouble,
    troubleSinceMs: () => troubleSinceMs,
    started() {
      adaptive.started(now(), permits.inFlight());
      return moving.started();
    },
    movingSinceMs: moving.movingSinceMs,
    finished(result, { rttMs, bytes }) {
      adaptive.finished({ nowMs: now(), rttMs, bytes, outcome: capacitySignal(result) });
      if (result.kind === 'uploaded') succeeded();
      else if (result.kind === 'failed' && isTemporary(result.failure))
        uploadTrouble = result.failure.message;
      noteTrouble();
      permits.pump();
    },
    looked(failure) {
      lookTrouble = failure?.message ?? null;
      if (failure === null) lastLookAtMs = now();
      noteTrouble();
    },
    stop,
    onHealth: (listener) => void listeners.add(listener),
    async close() {
      if (probeTimer !== null) clearTimeout(probeTimer);
      refusals.close();
      permits.dismiss();
      await destination.close();
    },
  };
}

function isTemporary({ kind }: UploadFailure): boolean {
  return kind === 'throttled' || kind === 'unavailable';
}
