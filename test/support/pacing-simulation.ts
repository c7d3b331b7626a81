import { createAdaptiveLimit } from '../../src/pacing/adaptive-limit.ts';
import { fullJitterMs } from '../../src/pacing/backoff.ts';
import { concurrencyAt } from '../../src/pacing/known-quota.ts';
import type { ConcurrencyOptions } from '../../src/pacing/options.ts';
import { GATE } from '../../src/pacing/pacing-constants.ts';
import { createRateSlots, leaseSize, slotIntervalMs } from '../../src/pacing/rate-slots.ts';
import { seededRandom } from './limit-simulation.ts';

/** How a simulated server answers one request. */
export interface PacedAnswer {
  readonly rttMs: number;
  readonly outcome: 'ok' | 'backpressure' | 'neutral';
  /** What a refusal asks for. */
  readonly retryAfterMs?: number;
}

export interface PacedServer {
  /** @param request.inFlight of all processes, this one included */
  answer(request: { nowMs: number; inFlight: number; random: () => number }): PacedAnswer;
}

export interface PacedSimulation {
  readonly files: number;
  readonly server: PacedServer;
  readonly seed: number;
  /** Known quota; null: none. */
  readonly perSecond?: number | null;
  readonly processes?: number;
  readonly concurrency?: Partial<ConcurrencyOptions>;
  /** A file arrives so often; left out: all are there. */
  readonly everyMs?: number;
}

export interface PacedOutcome {
  readonly finishMs: number;
  readonly requests: number;
  readonly rejectedShare: number;
  /** When each request was sent, and when each was refused. */
  readonly sentAtMs: readonly number[];
  readonly refusedAtMs: readonly number[];
  readonly peakInFlight: number;
  readonly meanInFlight: number;
  /** Attempts of the file that took most. */
  readonly mostAttempts: number;
  /** The limit of the first process over the second half of the run. */
  readonly settledLimit: number;
}

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

/** Sends files as the product does: limit, slots of a shared rate, gate and backoff, on a virtual clock. */
export function simulatePacing(options: PacedSimulation): PacedOutcome {
  const { files, server, perSecond = null, processes = 1 } = options;
  const rate = perSecond === null ? null : { perSecond };
  const random = seededRandom(options.seed);
  const concurrency = { initial: 1, max: 64, adaptive: true, ...options.concurrency };
  const events: Event[] = [];
  const waiting: { failures: number }[] = [];
  const sentAtMs: number[] = [];
  const refusedAtMs: number[] = [];
  const limits: number[] = [];
  let nowMs = 0;
  let done = 0;
  let inFlight = 0;
  let inFlightMs = 0;
  let peakInFlight = 0;
  let mostAttempts = 0;
  let gateUntilMs = 0;
  let slotAtMs = 0;

  function later(delayMs: number, run: () => void): void {
    const atMs = nowMs + delayMs;
    let at = events.length;
    while (at > 0 && (events[at - 1]?.atMs ?? 0) > atMs) at -= 1;
    events.splice(at, 0, { atMs, run });
  }

  const senders = Array.from({ length: processes }, () => {
    const limiter = createAdaptiveLimit(concurrencyAt(rate, concurrency));
    const slots = rate === null ? null : createRateSlots(rate.perSecond);
    let own = 0;
    let wakeAtMs = -1;

    function maySend(): boolean {
      if (slots === null || rate === null) return true;
      let turn = slots.take(nowMs);
      if (turn.kind === 'empty') {
        const count = leaseSize(rate.perSecond, waiting.length);
        const startMs = Math.max(nowMs, slotAtMs);
        slotAtMs = startMs + count * slotIntervalMs(rate.perSecond);
        slots.add(nowMs, { inMs: startMs - nowMs, count, intervalMs: slotIntervalMs(rate.perSecond) });
        turn = slots.take(nowMs);
      }
      if (turn.kind === 'wait' && wakeAtMs <= nowMs) {
        wakeAtMs = nowMs + turn.ms;
        later(turn.ms, () => undefined);
      }
      return turn.kind === 'go';
    }

    function send(): void {
      const file = waiting.shift();
      if (file === undefined) return;
      const startMs = nowMs;
      own += 1;
      inFlight += 1;
      peakInFlight = Math.max(peakInFlight, inFlight);
      sentAtMs.push(nowMs);
      mostAttempts = Math.max(mostAttempts, file.failures + 1);
      const answer = server.answer({ nowMs, inFlight, random });
      limiter.started(nowMs, own);
      later(answer.rttMs, () => {
        own -= 1;
        inFlight -= 1;
        limiter.finished({ nowMs, rttMs: nowMs - startMs, bytes: 4_096, outcome: answer.outcome });
        if (answer.outcome === 'ok') {
          done += 1;
          return;
        }
        refusedAtMs.push(nowMs);
        const hintMs = answer.retryAfterMs ?? 0;
        if (hintMs > GATE.longMs && nowMs + hintMs > gateUntilMs) {
          gateUntilMs = nowMs + hintMs;
          later(hintMs, () => undefined);
        }
        file.failures += 1;
        const ownMs = fullJitterMs(file.failures, { baseDelayMs: 500, maxDelayMs: 30_000 }, random);
        later(Math.max(ownMs, hintMs) * (1 + random() / 10), () => waiting.push(file));
      });
    }

    return {
      limit: limiter.limit,
      trySend(): boolean {
        if (waiting.length === 0 || nowMs < gateUntilMs || own >= limiter.limit() || !maySend()) return false;
        send();
        return true;
      },
    };
  });

  for (let file = 0; file < files; file += 1) {
    if (options.everyMs === undefined) waiting.push({ failures: 0 });
    else later(file * options.everyMs, () => waiting.push({ failures: 0 }));
  }
  while (done < files) {
    while (senders.map((sender) => sender.trySend()).includes(true));
    limits.push(senders[0]?.limit() ?? 0);
    const next = events.shift();
    if (next === undefined) throw new Error('nothing to do and not done');
    inFlightMs += inFlight * (next.atMs - nowMs);
    nowMs = next.atMs;
    next.run();
  }
  const secondHalf = limits.slice(limits.length >> 1);
  return {
    finishMs: nowMs,
    requests: sentAtMs.length,
    rejectedShare: refusedAtMs.length / sentAtMs.length,
    sentAtMs,
    refusedAtMs,
    peakInFlight,
    meanInFlight: inFlightMs / nowMs,
    mostAttempts,
    settledLimit: secondHalf.reduce((sum, limit) => sum + limit, 0) / secondHalf.length,
  };
}
