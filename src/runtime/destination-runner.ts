import type { Destination } from '../destinations/destination.ts';
import type { AttemptResult, UploadFailure } from '../domain/attempt.ts';
import type { Log } from '../domain/log.ts';
import { type AdaptiveLimit, createAdaptiveLimit } from '../pacing/adaptive-limit.ts';
import type { ConcurrencyOptions } from '../pacing/options.ts';
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
/** A person who has just logged in again does not want to wait; one who is asleep does not want it hammered. */
const FIRST_PROBE_MS = 15 * SECOND;
const LAST_PROBE_MS = 5 * MINUTE;

/** Everything this process knows about one destination while it runs. */
export interface DestinationRunner {
  readonly destination: Destination;
  readonly permits: Permits;
  readonly refusals: RefusalHold;
  health(): DestinationHealth;
  /** Milliseconds since the epoch of the last accepted file in this process; null before the first. */
  lastSuccessAtMs(): number | null;
  limit(): number;
  /** Why files are failing for now, in one line; null since the last success. */
  trouble(): string | null;
  /** Told when an attempt begins and how it ended; the limit learns from it. */
  started(): void;
  finished(result: AttemptResult, facts: { readonly rttMs: number; readonly bytes: number }): void;
  stop(failure: UploadFailure): void;
  /** Called whenever the health changes. */
  onHealth(listener: (health: DestinationHealth) => void): void;
  close(): Promise<void>;
}

/** Starts looking after one destination. */
export function runDestination(options: {
  readonly destination: Destination;
  readonly concurrency: ConcurrencyOptions;
  /** Jobs of this destination in this process, whatever they wait for. */
  readonly inHand: () => number;
  readonly log: Log;
  readonly now: () => number;
}): DestinationRunner {
  const { destination, log, now } = options;
  const adaptive: AdaptiveLimit = createAdaptiveLimit(options.concurrency);
  const listeners = new Set<(health: DestinationHealth) => void>();
  let health: DestinationHealth = { kind: 'running' };
  let lastSuccessAtMs: number | null = null;
  let trouble: string | null = null;
  let probeDelayMs = FIRST_PROBE_MS;
  let probeTimer: NodeJS.Timeout | null = null;

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
    probeDelayMs = Math.min(probeDelayMs * 2, LAST_PROBE_MS);
    permits.dismiss();
  }

  function succeeded(): void {
    lastSuccessAtMs = now();
    trouble = null;
    refusals.succeeded();
    if (health.kind !== 'probing') return;
    probeDelayMs = FIRST_PROBE_MS;
    log.info({ destination: destination.name }, `destination ${destination.name} accepts files again`);
    become({ kind: 'running' });
  }

  return {
    destination,
    permits,
    refusals,
    health: () => health,
    lastSuccessAtMs: () => lastSuccessAtMs,
    limit,
    trouble: () => trouble,
    started: () => adaptive.started(now(), permits.inFlight()),
    finished(result, { rttMs, bytes }) {
      adaptive.finished({ nowMs: now(), rttMs, bytes, outcome: signalOf(result) });
      if (result.kind === 'uploaded') succeeded();
      else if (signalOf(result) === 'backpressure' && result.kind === 'failed')
        trouble = result.failure.message;
      permits.pump();
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

/** What an attempt says about the far side's capacity. */
function signalOf(result: AttemptResult): 'ok' | 'backpressure' | 'neutral' {
  if (result.kind === 'uploaded') return 'ok';
  if (result.kind !== 'failed') return 'neutral';
  return result.failure.kind === 'throttled' || result.failure.kind === 'unavailable'
    ? 'backpressure'
    : 'neutral';
}
