import type { AttemptEnd } from '../send/send-attempt.ts';
import { MOST_ASKED_MS } from './retry-schedule.ts';

/**
 * How an endpoint is doing.
 * - `closed`: sent to → open after a row of failures
 * - `open`: left alone until a moment → probing; nothing is sent meanwhile, so nothing uses up attempts
 * - `probing`: one delivery at a time → closed on success, open for longer on failure
 */
export type Circuit =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly untilMs: number; readonly coolMs: number }
  | { readonly kind: 'probing'; readonly coolMs: number };

export interface EndpointHealth {
  readonly circuit: Circuit;
  /** Since the last success. */
  readonly failuresInRow: number;
  /** Epoch milliseconds of the first of them; null: none. */
  readonly failingSinceMs: number | null;
}

/** Ten in a row: at 30 % random failures that is once in 170,000 deliveries, at a dead endpoint at once. */
const OPENS_AT = 10;
const FIRST_COOL_MS = 5_000;
const LAST_COOL_MS = 5 * 60_000;
const JITTER = 0.2;
/** Standard Webhooks and Svix: after so long without one success nobody is there any more. */
const DISABLED_AFTER_MS = 5 * 24 * 60 * 60_000;

/** @param failingSinceMs as it was written down before a restart */
export function healthFrom(failingSinceMs: number | null): EndpointHealth {
  return { circuit: { kind: 'closed' }, failuresInRow: 0, failingSinceMs };
}

export function afterSuccess(): EndpointHealth {
  return healthFrom(null);
}

/**
 * An endpoint that asks for time (Retry-After) is left alone for so long, at most a day, by all its deliveries.
 * @param askedMs null: it did not ask
 * @param random uniform in [0, 1)
 */
export function afterFailure(
  health: EndpointHealth,
  nowMs: number,
  random: () => number,
  askedMs: number | null = null,
): EndpointHealth {
  const failuresInRow = health.failuresInRow + 1;
  const failingSinceMs = health.failingSinceMs ?? nowMs;
  const circuit = circuitAfter(health.circuit, failuresInRow, nowMs, random);
  if (askedMs === null) return { circuit, failuresInRow, failingSinceMs };
  const askedUntilMs = nowMs + Math.min(askedMs, MOST_ASKED_MS);
  const untilMs = circuit.kind === 'open' ? Math.max(circuit.untilMs, askedUntilMs) : askedUntilMs;
  const coolMs = circuit.kind === 'closed' ? FIRST_COOL_MS : circuit.coolMs;
  return { circuit: { kind: 'open', untilMs, coolMs }, failuresInRow, failingSinceMs };
}

function circuitAfter(circuit: Circuit, failuresInRow: number, nowMs: number, random: () => number): Circuit {
  if (circuit.kind === 'open') return circuit;
  if (circuit.kind === 'closed' && failuresInRow < OPENS_AT) return circuit;
  const coolMs = circuit.kind === 'closed' ? FIRST_COOL_MS : Math.min(circuit.coolMs * 2, LAST_COOL_MS);
  return { kind: 'open', untilMs: nowMs + coolMs * (1 - JITTER + 2 * JITTER * random()), coolMs };
}

/** What an attempt says about its endpoint. */
export function healthAfter(
  health: EndpointHealth,
  end: Exclude<AttemptEnd, { kind: 'aborted' }>,
  nowMs: number,
  random: () => number,
): EndpointHealth {
  if (end.kind === 'acknowledged') return afterSuccess();
  return afterFailure(health, nowMs, random, end.kind === 'failed' ? end.retryAfterMs : null);
}

/** The same health a moment later: an open circuit whose time has come is probed. */
export function healthAt(health: EndpointHealth, nowMs: number): EndpointHealth {
  const { circuit } = health;
  if (circuit.kind !== 'open' || nowMs < circuit.untilMs) return health;
  return { ...health, circuit: { kind: 'probing', coolMs: circuit.coolMs } };
}

/** Whether it has failed for so long, and only failed, that it is to be left alone. */
export function isGivenUp(health: EndpointHealth, nowMs: number): boolean {
  return health.failingSinceMs !== null && nowMs - health.failingSinceMs >= DISABLED_AFTER_MS;
}
