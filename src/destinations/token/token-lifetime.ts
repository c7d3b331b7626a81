import { jwtExpiryMs } from './jwt-expiry.ts';

/** When one reading of a token is due again. Milliseconds since the epoch; Infinity: never by time. */
export interface TokenLifetime {
  /** From here on it is read again in the background, while it still serves. */
  readonly refreshAtMs: number;
  /** From here on it does not serve any more. */
  readonly endsAtMs: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** For a token that does not say when it ends; short, because reading it again is a local call. */
export const OPAQUE_TTL_MS = 5 * MINUTE;
/** Never ask a source more often than this just because time has passed. */
const LEAST_REFRESH_MS = 30 * SECOND;
/** A token that ends while a request is on its way would be refused. */
const END_MARGIN_MS = 5 * SECOND;
const MOST_AHEAD_MS = 10 * MINUTE;

/**
 * How long a token just read serves. One without a readable end serves until it is refused and is read again every
 * five minutes; one that claims to have ended already is left for the far side to judge, since the clock that is
 * wrong may be ours.
 * @param expires whether the source may give another token by and by
 * @param random uniform in [0, 1): processes that started together do not all read at once
 */
export function tokenLifetime(
  token: string,
  expires: boolean,
  nowMs: number,
  random: () => number,
): TokenLifetime {
  if (!expires) return { refreshAtMs: Number.POSITIVE_INFINITY, endsAtMs: Number.POSITIVE_INFINITY };
  const jitter = 0.75 + random() / 2;
  const endsAtMs = jwtExpiryMs(token);
  if (endsAtMs === null) {
    return { refreshAtMs: nowMs + OPAQUE_TTL_MS * (jitter / 1.25), endsAtMs: Number.POSITIVE_INFINITY };
  }
  const lifeMs = endsAtMs - nowMs;
  if (lifeMs <= 0) return { refreshAtMs: nowMs + LEAST_REFRESH_MS, endsAtMs: Number.POSITIVE_INFINITY };
  const aheadMs = Math.min(lifeMs / 5, MOST_AHEAD_MS) * jitter;
  const soonestMs = nowMs + Math.min(LEAST_REFRESH_MS, lifeMs / 2);
  return {
    refreshAtMs: Math.max(endsAtMs - aheadMs, soonestMs),
    endsAtMs: endsAtMs - Math.min(END_MARGIN_MS, lifeMs / 10),
  };
}
