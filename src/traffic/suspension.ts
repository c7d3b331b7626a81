/*
 * The suspension of a destination
 *
 * Most ways for work not to go on are a file's or a source's. This one is the destination's: for a while nobody sends
 * there, in any process, and no file pays for it.
 *
 *                 more than five failures in a row, or half of many (down)
 *                 refused credentials, clock, account (stopped)
 *     ┌─────────┐ ──────────────────────────────────────────────▶ ┌────────────────┐
 *     │ running │                                                 │ down │ stopped │ ◀─┐
 *     └─────────┘ ◀──────────────┐                                └────────────────┘   │ the probe failed: a longer wait;
 *          ▲                     │ the probe, or any upload               │ its time   │ it told nothing: another
 *          │                     │ still under way, succeeded             │ has come   │ process may try
 *          │                ┌─────────┐ ◀─────────────────────────────────┘            │
 *          │                │ probing │ ───────────────────────────────────────────────┘
 *          │                └─────────┘
 *          └── `slipway resume`, or another token: probed at once, and the record in Redis says so to all
 *
 * - The two kinds differ in their patience alone. `down` is probed after 0.5, 1, 2 and then every 3 s, in a long outage every
 *   fortieth of its length (pacing/circuit.ts); `stopped` after 15 s, doubling up to 5 min. What is stopped and does not
 *   answer either is still stopped.
 * - It is shared. The record of the destination in Redis (shared-destination.ts) holds kind, failure, beginning and number of tries;
 *   each process follows what it reads there once a second, or when it is told. Without Redis a process goes on with what it knows.
 * - One upload of all processes is the probe: whoever gets the lease becomes `probing`, its limit is 1 for as long, and it
 *   keeps the lease alive. A prober that has no job to send hands the lease on after 2 s if anybody else is there. One that dies
 *   loses it after 10 s.
 * - `inherited`: it was there when this process came, and nobody has tried since. `--once` does not end with 7 for such a one
 *   before somebody has tried in vain.
 * - Not suspensions, though files wait as well: a `Retry-After` (retry-after-pause.ts), a token service that is away
 *   (token-outage.ts, of one process only), refusals before the first success (unproven-refusals.ts), pauses of the user.
 */

import type { UploadFailure } from '../domain/attempt.ts';
import type { DestinationBlocker } from '../domain/blocker.ts';
import type { Log } from '../domain/log.ts';
import { probeDelayMs } from '../pacing/circuit.ts';
import type { DestinationHealth, ProbeTiming, SuspensionKind } from './destination-health.ts';
import type { SharedDestination, SharedSuspension, SharedView } from './shared-destination.ts';

/** A prober without a job to send lets another process try after this long. */
const IDLE_PROBE_MS = 2_000;

export type SuspensionBlocker = Extract<DestinationBlocker, { reason: SuspensionKind }>;

/** Whether a destination takes files: why not, since when, and who finds out that it does again. */
export interface Suspension {
  health(): DestinationHealth;
  /** The same as what it is in the way of; null: it is not. */
  blocker(): SuspensionBlocker | null;
  /** Nobody sends; said of a probe that failed as well. */
  suspend(kind: SuspensionKind, failure: UploadFailure): void;
  /** An attempt is under way: a probe, if this process probes. */
  attempted(): void;
  /** The probe told nothing: its file was not sent after all. */
  unanswered(): void;
  /** The destination takes files again. */
  resume(): void;
  /** Something was mended: one upload tries at once. */
  probeNow(): void;
  close(): void;
}

// Over 80 lines: the state machine drawn above: each function is one of its arrows, over one state and one timer.
/**
 * The way from running to a suspension and back: suspend → wait → one probe among all processes → running, or a longer
 * wait. The circuit and the stop of wrong credentials differ in their patience only.
 */
export function createSuspension(options: {
  readonly destination: string;
  readonly shared: SharedDestination;
  readonly stoppedTiming: ProbeTiming;
  readonly onChange: (health: DestinationHealth) => void;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
}): Suspension {
  const { destination, shared, stoppedTiming, log, now, random } = options;
  let health: DestinationHealth = { kind: 'running' };
  let tries = 0;
  /** What was there when this process came; null: it knows by itself, or of a probe since. */
  let inherited: string | null = null;
  let isFirstView = true;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  shared.onView(adopt);

  function become(next: DestinationHealth): void {
    health = next;
    shared.probing(next.kind === 'probing');
    options.onChange(next);
  }

  function wait(kind: SuspensionKind, failure: UploadFailure, sinceMs: number, probeInMs: number): void {
    arm(probeInMs, () => void probe());
    become({ kind, failure, sinceMs, probeAtMs: now() + probeInMs, inherited: inherited !== null });
  }

  function arm(delayMs: number, act: () => void): void {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(act, Math.max(1, delayMs));
  }

  async function probe(): Promise<void> {
    const answer = await shared.leaseProbe();
    if (closed || health.kind === 'running' || health.kind === 'probing') {
      if (answer === 'granted') shared.passProbeOn();
      return;
    }
    if (answer === 'none') return goOn();
    const { kind, failure, sinceMs } = health;
    if (answer !== 'granted') return wait(kind, failure, sinceMs, answer);
    awaitProbe(kind);
    become({ kind: 'probing', of: kind, failure, sinceMs });
  }

  function awaitProbe(kind: SuspensionKind): void {
    arm(IDLE_PROBE_MS, () => passOn(kind));
  }

  /** Nothing to send here. Alone there is nobody else who could, as long as nobody joins. */
  function passOn(kind: SuspensionKind): void {
    if (health.kind !== 'probing') return;
    if (shared.members() < 2) {
      awaitProbe(kind);
      return;
    }
    shared.passProbeOn();
    wait(kind, health.failure, health.sinceMs, IDLE_PROBE_MS * (0.5 + random()));
  }

  function goOn(): void {
    if (timer !== null) clearTimeout(timer);
    tries = 0;
    inherited = null;
    if (health.kind === 'running') return;
    log.info({ destination }, `destination ${destination} accepts files again`);
    become({ kind: 'running' });
  }

  /** What the others have found. */
  function adopt({ suspension, probesHere }: SharedView): void {
    if (closed) return;
    const there = suspension === null ? null : nameOf(suspension);
    if (isFirstView && health.kind === 'running') inherited = there;
    isFirstView = false;
    if (suspension === null) {
      if (health.kind !== 'running') goOn();
      return;
    }
    if (health.kind === 'probing' && probesHere) return;
    const { kind, failure, sinceMs, probeInMs } = suspension;
    tries = suspension.tries;
    if (there !== inherited) inherited = null;
    if (health.kind === 'running') {
      log.warn(
        { destination },
        `destination ${destination} is ${kind}, another process says: ${failure.message}`,
      );
    }
    if (health.kind === kind && health.inherited === (inherited !== null)) {
      if (health.probeAtMs <= now() + Math.max(0, probeInMs)) return;
    }
    wait(kind, failure, sinceMs, Math.max(0, probeInMs));
  }

  function delayOf(kind: SuspensionKind, sinceMs: number): number {
    if (kind === 'down') return probeDelayMs(tries, now() - sinceMs, random);
    return Math.min(stoppedTiming.lastMs, stoppedTiming.firstMs * 2 ** tries);
  }

  return {
    health: () => health,
    blocker: () => blockerOf(health),
    suspend(found, failure) {
      if (health.kind === found || health.kind === 'stopped') return;
      const probed = health.kind === 'probing' ? health : null;
      // What is stopped and does not answer either is still stopped.
      const kind = probed?.of === 'stopped' ? 'stopped' : found;
      const why = kind === found ? failure : (probed?.failure ?? failure);
      tries = probed?.of === kind ? tries + 1 : 0;
      inherited = null;
      const sinceMs = probed?.sinceMs ?? now();
      const probeInMs = delayOf(kind, sinceMs);
      const fields = { destination, code: why.code, retryInMs: Math.round(probeInMs) };
      const what = `destination ${destination} is ${kind}, its files are kept: ${why.message}`;
      if (kind === 'stopped') log.error(fields, what);
      else if (probed === null) log.warn(fields, what);
      shared.standStill({ kind, failure: why, sinceMs, tries }, probeInMs, probed !== null);
      wait(kind, why, sinceMs, probeInMs);
    },

    attempted() {
      if (health.kind === 'probing' && timer !== null) clearTimeout(timer);
    },

    unanswered() {
      if (!closed && health.kind === 'probing') awaitProbe(health.of);
    },

    resume() {
      if (health.kind === 'running') return;
      shared.goOn();
      goOn();
    },

    probeNow() {
      if (health.kind === 'running' || health.kind === 'probing') return;
      shared.hurry();
      arm(0, () => void probe());
    },

    close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      if (health.kind === 'probing') shared.passProbeOn();
    },
  };
}

function blockerOf(health: DestinationHealth): SuspensionBlocker | null {
  if (health.kind === 'running') return null;
  const { failure, sinceMs } = health;
  const isTried = health.kind === 'probing';
  const untilMs = isTried ? null : health.probeAtMs;
  const block = { sinceMs, untilMs, message: failure.message, passes: isTried ? 'one' : 'none' } as const;
  const reason = isTried ? health.of : health.kind;
  if (reason === 'down') return { ...block, reason, failure };
  return { ...block, reason, failure, inherited: !isTried && health.inherited };
}

/** Tells one suspension, and each failed probe of it, from every other. */
function nameOf({ kind, sinceMs, tries }: SharedSuspension): string {
  return `${kind} ${sinceMs} ${tries}`;
}
