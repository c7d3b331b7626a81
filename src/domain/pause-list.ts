import { z } from 'zod';
import type { SourceBlocker } from './blocker.ts';

const pauseSchema = z.strictObject({
  kind: z.enum(['everything', 'destination', 'source', 'batch']),
  /** '' for everything. */
  name: z.string(),
  /** ISO time. */
  since: z.string(),
});

const pauseListSchema = z.strictObject({
  v: z.literal(1),
  /** One more with every change: of two lists the newer one holds. */
  revision: z.int().min(0),
  paused: z.array(pauseSchema),
});

/** One thing the user has paused. */
export type Pause = Readonly<z.output<typeof pauseSchema>>;
/** Everything the user has paused. */
export type PauseList = Readonly<z.output<typeof pauseListSchema>>;

export type PauseTarget = Pick<Pause, 'kind' | 'name'>;

export const NOTHING_PAUSED: PauseList = { v: 1, revision: 0, paused: [] };

export function encodePauses(list: PauseList): string {
  return JSON.stringify(list);
}

/** null: no list of this version, as after a power cut. */
export function decodePauses(text: string | null): PauseList | null {
  try {
    return pauseListSchema.parse(JSON.parse(text ?? ''));
  } catch {
    return null;
  }
}

/** Of the list kept in a data folder and the one all share; with one revision the shared one holds. */
export function newer(kept: PauseList | null, shared: PauseList | null): PauseList {
  if (kept === null || shared === null) return kept ?? shared ?? NOTHING_PAUSED;
  return shared.revision >= kept.revision ? shared : kept;
}

export function isSameList(one: PauseList, other: PauseList | null): boolean {
  return other !== null && encodePauses(one) === encodePauses(other);
}

/** The list with one more paused; what is paused already stays as it was. */
export function withPause(list: PauseList, target: PauseTarget, since: string): PauseList {
  if (list.paused.some((pause) => isSame(pause, target))) return list;
  const paused = [...list.paused, { kind: target.kind, name: target.name, since }];
  return { v: 1, revision: list.revision + 1, paused };
}

/** The list without it; without anything when everything is meant. */
export function withoutPause(list: PauseList, target: PauseTarget): PauseList {
  const paused = target.kind === 'everything' ? [] : list.paused.filter((pause) => !isSame(pause, target));
  return paused.length === list.paused.length ? list : { v: 1, revision: list.revision + 1, paused };
}

/** Why a source may not send, or a destination may not be sent to; null: it may. Batches are asked for one by one. */
export function pauseOf(
  list: PauseList,
  what: { readonly destination?: string | null; readonly source?: string },
): Pause | null {
  const applies = ({ kind, name }: Pause): boolean =>
    kind === 'everything' ||
    (kind === 'destination' && name === what.destination) ||
    (kind === 'source' && name === what.source);
  return list.paused.find(applies) ?? null;
}

export function pauseOfBatch(list: PauseList, batch: string | null): Pause | null {
  if (batch === null) return null;
  return list.paused.find(({ kind, name }) => kind === 'batch' && name === batch) ?? null;
}

/** For people. */
export function pauseText({ kind, name, since }: Pause): string {
  const what = kind === 'everything' ? 'everything is' : `${kind} ${name} is`;
  const how = kind === 'everything' ? '' : kind === 'destination' ? ` ${name}` : ` --${kind} ${name}`;
  return `${what} paused since ${since}: slipway resume${how}`;
}

/** What a pause is in the way of. */
export function pauseBlocker(pause: Pause): SourceBlocker {
  const times = { sinceMs: Date.parse(pause.since), untilMs: null };
  return { reason: 'paused', ...times, message: pauseText(pause), passes: 'none' };
}

function isSame(one: PauseTarget, other: PauseTarget): boolean {
  return one.kind === other.kind && one.name === other.name;
}
