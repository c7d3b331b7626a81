import type { AttemptResult } from '../domain/attempt.ts';
import type { DestinationBlocker } from '../domain/blocker.ts';
import type { Log } from '../domain/log.ts';
import { PROBE_TIMING } from './destination-health.ts';
import { unsharedDestination } from './shared-destination.ts';
import { createSuspension } from './suspension.ts';

/** Passes by itself: no token is to be had at present, and nothing is wrong with any file or any setting. */
const AWAY = new Set(['token_service_unreachable', 'token_command_failed']);

/**
 * Holds a destination while its token source is away: one job at a time asks for a token, as a probe of what is down,
 * instead of every one of them. For this process alone: the token service of another host may well be there.
 */
export interface TokenOutage {
  /** null: tokens are to be had. */
  blocker(): DestinationBlocker | null;
  /** An attempt is under way: the probe, if one is wanted. */
  attempted(): void;
  /** @param startedAtMs milliseconds since the epoch: what began before the probe says nothing */
  ended(result: AttemptResult, startedAtMs: number): void;
  /** So long ago somebody asked for everything to be tried at once (`resume`); null: never. */
  lifted(agoMs: number | null): void;
  close(): void;
}

export function createTokenOutage(options: {
  readonly destination: string;
  readonly onChange: () => void;
  readonly log: Log;
  readonly now: () => number;
}): TokenOutage {
  const { destination, onChange, log, now } = options;
  let probingSinceMs = 0;
  let waitingSinceMs = 0;
  const suspension = createSuspension({
    ...{ destination, shared: unsharedDestination(null, now), stoppedTiming: PROBE_TIMING, log, now },
    random: Math.random,
    onChange({ kind }) {
      if (kind === 'probing') probingSinceMs = now();
      if (kind === 'down') waitingSinceMs = now();
      onChange();
    },
  });

  return {
    blocker() {
      const blocker = suspension.blocker();
      return blocker === null ? null : { ...blocker, reason: 'token-away' };
    },
    attempted: suspension.attempted,
    ended(result, startedAtMs) {
      const { kind } = suspension.health();
      const away = result.kind === 'failed' && AWAY.has(result.failure.code);
      // Whole milliseconds may be one off.
      const isProbe = kind === 'probing' && startedAtMs >= probingSinceMs - 2;
      if (away && (kind === 'running' || isProbe)) suspension.suspend('down', result.failure);
      else if (isProbe && hadToken(result)) suspension.resume();
      else if (isProbe) suspension.unanswered();
    },
    lifted(agoMs) {
      const isNews = agoMs !== null && now() - agoMs > waitingSinceMs;
      if (isNews && suspension.health().kind === 'down') suspension.probeNow();
    },
    close: suspension.close,
  };
}

/** Whatever came of it: it was sent, or what the source gave was of no use. */
function hadToken(result: AttemptResult): boolean {
  if (result.kind === 'uploaded') return true;
  return result.kind === 'failed' && (result.requests > 0 || result.failure.code.startsWith('token_'));
}
