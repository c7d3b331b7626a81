import type { AttemptResult } from '../domain/attempt.ts';
import type { Log } from '../domain/log.ts';
import { type DestinationHealth, PROBE_TIMING } from './destination-health.ts';
import { unsharedDestination } from './shared-destination.ts';
import { createStandstill } from './standstill.ts';

/** Passes by itself: no token is to be had at present, and nothing is wrong with any file or any setting. */
const AWAY = new Set(['token_service_unreachable', 'token_command_failed']);

/**
 * Holds a destination while its token source is away: one job at a time asks for a token, as a probe of what is down,
 * instead of every one of them. For this process alone: the token service of another host may well be there.
 */
export interface TokenHold {
  health(): DestinationHealth;
  /** An attempt is under way: the probe, if one is wanted. */
  attempted(): void;
  /** @param startedAtMs milliseconds since the epoch: what began before the probe says nothing */
  ended(result: AttemptResult, startedAtMs: number): void;
  /** So long ago somebody asked for everything to be tried at once (`resume`); null: never. */
  lifted(agoMs: number | null): void;
  close(): void;
}

export function createTokenHold(facts: {
  readonly destination: string;
  readonly onChange: () => void;
  readonly log: Log;
  readonly now: () => number;
}): TokenHold {
  const { destination, onChange, log, now } = facts;
  let probingSinceMs = 0;
  let waitingSinceMs = 0;
  const standstill = createStandstill({
    ...{ destination, shared: unsharedDestination(null, now), stoppedTiming: PROBE_TIMING, log, now },
    random: Math.random,
    onChange({ kind }) {
      if (kind === 'probing') probingSinceMs = now();
      if (kind === 'down') waitingSinceMs = now();
      onChange();
    },
  });

  return {
    health: standstill.health,
    attempted: standstill.attempted,
    ended(result, startedAtMs) {
      const { kind } = standstill.health();
      const away = result.kind === 'failed' && AWAY.has(result.failure.code);
      // Whole milliseconds may be one off.
      const isProbe = kind === 'probing' && startedAtMs >= probingSinceMs - 2;
      if (away && (kind === 'running' || isProbe)) standstill.begin('down', result.failure);
      else if (isProbe && hadToken(result)) standstill.end();
      else if (isProbe) standstill.unanswered();
    },
    lifted(agoMs) {
      const isNews = agoMs !== null && now() - agoMs > waitingSinceMs;
      if (isNews && standstill.health().kind === 'down') standstill.hurry();
    },
    close: standstill.close,
  };
}

/** Whatever came of it: it was sent, or what the source gave was of no use. */
function hadToken(result: AttemptResult): boolean {
  if (result.kind === 'uploaded') return true;
  return result.kind === 'failed' && (result.requests > 0 || result.failure.code.startsWith('token_'));
}
