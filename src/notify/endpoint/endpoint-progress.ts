import type { Delivery, EndpointState } from '../../domain/delivery.ts';
import type { DeliveryBatch } from '../outbox/delivery-batch.ts';
import { type EndpointHealth, healthAfter, healthAt, healthFrom, isGivenUp } from './endpoint-health.ts';
import { answerOf, type CountedEnd } from './settle-delivery.ts';

/**
 * How far an endpoint of one source is, and how it is doing. Every transition is pure and gives a new one.
 *
 * It is sent to unless it is `disabled` (410, or days of nothing but failures; a replay brings it back), its circuit is
 * open (a while after a row of failures, then one delivery probes it), or this process is stopping.
 */
export interface EndpointProgress {
  /** As the ledger has it, or will have it after the next transaction. */
  readonly state: EndpointState;
  /** The ledger does not have all of `state` yet. */
  readonly unwritten: boolean;
  readonly health: EndpointHealth;
  readonly stopping: boolean;
  /** What is told once more comes first at the next look: in turns with what is new, neither waits for the other. */
  readonly replayFirst: boolean;
  /** Until when a window that is not full waits for more; null: none does. */
  readonly windowUntilMs: number | null;
  /** Windows of journal bytes before it do not wait. */
  readonly closeUpTo: number;
  /** When a failure was last said loudly. */
  readonly warnedAtMs: number;
}

/** What is to be said about an endpoint after a transition. */
export type EndpointNews =
  | { readonly kind: 'given-up'; readonly delivery: Delivery }
  | { readonly kind: 'disabled'; readonly reason: string }
  /** @param loud not said lately; `nextAtMs`: when it is sent to again */
  | { readonly kind: 'failed'; readonly reason: string; readonly nextAtMs: number; readonly loud: boolean }
  | { readonly kind: 'rests'; readonly reason: string; readonly nextAtMs: number }
  | { readonly kind: 'back' };

export interface AttemptFacts {
  readonly end: CountedEnd;
  /** What becomes of the delivery; null: acknowledged. */
  readonly after: Delivery | null;
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** A failing endpoint is a warning, not thousands of them. */
const WARN_EVERY_MS = 60_000;

export function progressFrom(state: EndpointState): EndpointProgress {
  return {
    ...{ state, unwritten: false, health: healthFrom(state.failingSinceMs), stopping: false },
    ...{ replayFirst: false, windowUntilMs: null, closeUpTo: 0, warnedAtMs: Number.NEGATIVE_INFINITY },
  };
}

/** An attempt has ended, and counts. */
export function afterAttemptEnd(
  before: EndpointProgress,
  { end, after, nowMs, random }: AttemptFacts,
): { readonly progress: EndpointProgress; readonly news: readonly EndpointNews[] } {
  const health = healthAfter(before.health, end, nowMs, random);
  const isDead = after?.state === 'dead';
  const news: EndpointNews[] = isDead ? [{ kind: 'given-up', delivery: after }] : [];
  const counted: EndpointProgress = {
    ...{ ...before, health, unwritten: true },
    state: {
      ...before.state,
      dead: before.state.dead + (isDead ? 1 : 0),
      failingSinceMs: health.failingSinceMs,
      last: answerOf(end, nowMs),
    },
  };
  const reason = disablingReason(counted, end, nowMs);
  if (reason !== null) {
    const off = disabled(counted, reason, nowMs);
    return { progress: off, news: off === counted ? news : [...news, { kind: 'disabled', reason }] };
  }
  if (counted.state.disabled !== null || counted.stopping) return { progress: counted, news };
  const said = healthNews(before, counted, { end, after, nowMs });
  const isLoud = said?.kind === 'rests' || (said?.kind === 'failed' && said.loud);
  return {
    progress: isLoud ? { ...counted, warnedAtMs: nowMs } : counted,
    news: said === null ? news : [...news, said],
  };
}

function disablingReason({ health }: EndpointProgress, end: CountedEnd, nowMs: number): string | null {
  if (end.kind === 'gone') return 'it answered 410: it wants no more events';
  if (end.kind !== 'failed' || !isGivenUp(health, nowMs)) return null;
  return `nothing but failures since ${new Date(health.failingSinceMs ?? nowMs).toISOString()}`;
}

function healthNews(
  before: EndpointProgress,
  { health, state }: EndpointProgress,
  { end, after, nowMs }: Omit<AttemptFacts, 'random'>,
): EndpointNews | null {
  const { circuit } = health;
  const wasClosed = before.health.circuit.kind === 'closed';
  if (end.kind !== 'failed') return !wasClosed && circuit.kind === 'closed' ? { kind: 'back' } : null;
  const reason = state.last?.summary ?? end.reason;
  if (circuit.kind === 'open' && wasClosed) return { kind: 'rests', reason, nextAtMs: circuit.untilMs };
  // Said as given up, which names the way on.
  if (after?.state !== 'open') return null;
  const nextAtMs = circuit.kind === 'open' ? Math.max(after.dueAtMs, circuit.untilMs) : after.dueAtMs;
  return { kind: 'failed', reason, nextAtMs, loud: nowMs - before.warnedAtMs >= WARN_EVERY_MS };
}

function disabled(progress: EndpointProgress, reason: string, nowMs: number): EndpointProgress {
  if (progress.state.disabled !== null) return progress;
  const at = new Date(nowMs).toISOString();
  return { ...progress, unwritten: true, state: { ...progress.state, disabled: { at, reason } } };
}

/** The same a moment later: one that has rested is probed. */
export function progressAt(progress: EndpointProgress, nowMs: number): EndpointProgress {
  const health = healthAt(progress.health, nowMs);
  return health === progress.health ? progress : { ...progress, health };
}

/** A look at the outbox begins. */
export function lookBegun(progress: EndpointProgress): EndpointProgress {
  return { ...progress, replayFirst: !progress.replayFirst, windowUntilMs: null };
}

/** @param batch what a look at the outbox has found */
export function lookEnded(
  progress: EndpointProgress,
  batch: DeliveryBatch | null,
  nowMs: number,
): EndpointProgress {
  const waitMs = batch?.waitMs ?? null;
  return waitMs === null ? progress : { ...progress, windowUntilMs: nowMs + waitMs };
}

/** Whether what a look has found is still to be written: what is stored may have been changed beside it. */
export function isStillTrue({ from }: DeliveryBatch, { state }: EndpointProgress): boolean {
  const { cursor, batchSeq, replay } = state;
  return (
    from.cursor === cursor &&
    from.batchSeq === batchSeq &&
    from.replay?.at === replay?.at &&
    from.replay?.to === replay?.to
  );
}

/** What was found is written down, with the deliveries numbered from `state.nextSeq` on. */
export function afterWrite(progress: EndpointProgress, batch: DeliveryBatch | null): EndpointProgress {
  if (batch === null) return progress.unwritten ? { ...progress, unwritten: false } : progress;
  const { cursor, batchSeq, replay, deliveries } = batch;
  const nextSeq = progress.state.nextSeq + deliveries.length;
  return { ...progress, unwritten: false, state: { ...progress.state, cursor, batchSeq, replay, nextSeq } };
}

/** What is stored was changed by a command: one that was disabled, and is not any more, begins in good health. */
export function afterReload(progress: EndpointProgress, state: EndpointState): EndpointProgress {
  const isBack = progress.state.disabled !== null && state.disabled === null;
  return { ...progress, state, health: isBack ? healthFrom(state.failingSinceMs) : progress.health };
}

/** A person wants it told now: its rest is over, and windows that are begun do not wait. @param mark journal bytes */
export function hurried(progress: EndpointProgress, mark: number): EndpointProgress {
  const { health } = progress;
  const { circuit } = health;
  const probed: EndpointHealth =
    circuit.kind === 'open' ? { ...health, circuit: { kind: 'probing', coolMs: circuit.coolMs } } : health;
  return { ...progress, health: probed, closeUpTo: mark };
}

export function stopped(progress: EndpointProgress): EndpointProgress {
  return { ...progress, stopping: true };
}

/** Deliveries that may be under way at once. */
export function atOnce({ state, health, stopping }: EndpointProgress, concurrency: number): number {
  const { kind } = health.circuit;
  if (stopping || state.disabled !== null || kind === 'open') return 0;
  return kind === 'probing' ? 1 : concurrency;
}
