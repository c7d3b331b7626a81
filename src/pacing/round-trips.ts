import { ADAPTIVE } from './adaptive-constants.ts';
import { createSizeFit } from './size-fit.ts';

/** What is known of a destination's round trips. `ms` values have the size of the file taken out, unless said otherwise. */
export interface RoundTrips {
  /** @param limit at the time: the larger, the more round trips are averaged before they are believed */
  add(sample: { nowMs: number; rttMs: number; bytes: number }, limit: number): void;
  normalised(rttMs: number, bytes: number): number;
  /** Mean of the newest ones; null until there are enough. */
  recentMs(): number | null;
  /** After a decrease: what was measured under the old limit says nothing about the new one. */
  forgetRecent(): void;
  /** The best such mean, slowly forgotten upwards; null until there is one. */
  bestMs(): number | null;
  /** Running mean as measured, size and all; null before the first. */
  measuredMs(): number | null;
  /** Whether `ms` is more than `ratio` times the best. */
  isOver(ms: number | null, ratio: number): boolean;
}

export function createRoundTrips(): RoundTrips {
  const fit = createSizeFit();
  const recent: { rttMs: number; bytes: number }[] = [];
  let wanted: number = ADAPTIVE.recentSamples;
  let measured: number | null = null;
  let best: { ms: number; atMs: number } | null = null;

  function recentMs(): number | null {
    if (recent.length < wanted) return null;
    // Normalised when asked, with what the fit knows by then.
    return recent.reduce((sum, { rttMs, bytes }) => sum + fit.normalised(rttMs, bytes), 0) / recent.length;
  }

  function noteBest(nowMs: number): void {
    const ms = recentMs();
    if (ms === null) return;
    const remembered =
      best === null
        ? Number.POSITIVE_INFINITY
        : best.ms * 2 ** ((nowMs - best.atMs) / ADAPTIVE.bestDoublesMs);
    best = { ms: Math.min(remembered, ms), atMs: nowMs };
  }

  return {
    add({ nowMs, rttMs, bytes }, limit) {
      fit.add(rttMs, bytes);
      measured = measured === null ? rttMs : measured + ADAPTIVE.measuredAlpha * (rttMs - measured);
      wanted = Math.max(ADAPTIVE.recentSamples, Math.floor(limit * ADAPTIVE.recentShare));
      // A longer average that is not there yet must not hide what the shorter one already says.
      wanted = Math.max(ADAPTIVE.recentSamples, Math.min(wanted, recent.length + 1));
      recent.push({ rttMs, bytes });
      while (recent.length > wanted) recent.shift();
      noteBest(nowMs);
    },
    normalised: (rttMs, bytes) => fit.normalised(rttMs, bytes),
    recentMs,
    forgetRecent() {
      recent.length = 0;
    },
    bestMs: () => best?.ms ?? null,
    measuredMs: () => measured,
    isOver: (ms, ratio) => ms !== null && best !== null && ms > best.ms * ratio,
  };
}
