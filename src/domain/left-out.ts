import type { IgnoreReason } from './ignore-reason.ts';

/** Left alone by a rule, which is nobody's mistake. `replaced`: a later entry of the archive has the same name. */
export type LeftAlone = Readonly<Partial<Record<IgnoreReason | 'replaced', number>>>;

/** Why a name that was found, or named, has no receipt. `unsettled`: it was still being written. */
export type LeftOutReason = keyof LeftAlone | 'unreadable' | 'unsettled' | 'missing' | 'outside' | 'folder';

/** A name that has no part in a batch, as its manifest says it. */
export interface LeftOut {
  readonly path: string;
  /** As in receipts. */
  readonly pathBytes?: string;
  readonly reason: LeftOutReason;
}

/** Of no use to anybody who asks what of his was left alone. */
const OURS: ReadonlySet<string> = new Set(['own', 'meta']);

/** `3 left alone: 2 hidden, 1 junk`; null where none is. Files of Slipway's own are not counted. */
export function leftAloneText(counts: LeftAlone): string | null {
  const named = Object.entries(counts)
    .filter(([reason, count]) => count > 0 && !OURS.has(reason))
    .sort(([, a], [, b]) => b - a);
  if (named.length === 0) return null;
  const all = named.reduce((sum, [, count]) => sum + count, 0);
  return `${all} left alone: ${named.map(([reason, count]) => `${count} ${reason.replace('_', ' ')}`).join(', ')}`;
}
