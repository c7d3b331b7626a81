import type { Arrival, Lane } from '../../domain/lane.ts';
import { chunkSizeOf } from './queue-chunks.ts';

/** Places of one kind that were given to somebody. */
export interface QuotaGrant {
  /** At least one, at most as many as were wanted. */
  readonly count: number;
  readonly place: Lane;
}

/**
 * Who gets into a source's queue, and where: a file that was just dropped goes before a backlog of found ones, and the
 * backlog goes on all the same. Counts only; no clock.
 */
export interface QueueQuota {
  /** Takes places; null: none for now, ask again after a change. */
  take(wanted: number, arrival: Arrival): QuotaGrant | null;
  /** Nobody holds them any more, and nothing was recorded. */
  giveBack(place: Lane, count: number): void;
  /** A job was recorded. */
  recorded(place: Lane): void;
  /** A job is in the queue; the place that was taken for it is given back besides. */
  known(place: Lane): void;
}

/** Of `maxPending`, what neither found files nor live ones take from the other. */
const RESERVE_SHARE = 8;
const MAX_RESERVE = 256;
/** Those that go ahead are taken newest first: few enough that files of one burst stay roughly in order. */
const MAX_AHEAD = 128;
/** For one job that waited its turn so many may go ahead: what is older gets a quarter of the uploads at least. */
const AHEAD_PER_ONE = 3;
/** So many are tried in line when none may go ahead and none is under way. */
const IN_LINE = 16;
/** Where a few are, one more at a time, up to so many: what is refused for hours must not be all that is under way. */
const BESIDE = 4;

/** @param maxPending G3: most jobs in Redis that are not recorded */
export function createQueueQuota(maxPending: number): QueueQuota {
  // Never less than a chunk, which found files ask for whole: live ones would take each place that becomes free first.
  // Where a chunk is one file the two take turns anyway.
  const chunk = chunkSizeOf(maxPending);
  const reserve = Math.max(
    chunk > 1 ? chunk : 0,
    Math.min(Math.floor(maxPending / RESERVE_SHARE), MAX_RESERVE),
  );
  const most = Math.max(1, Math.min(MAX_AHEAD, Math.floor(maxPending / 4)));
  const held: Record<Lane, number> = { backlog: 0, live: 0, front: 0 };
  let credit = most;

  function inLine(wanted: number, place: 'backlog' | 'live', ofIts: number): QuotaGrant | null {
    const all = held.backlog + held.live + held.front;
    // One chunk fits always, however small the maximum.
    const fits = all === 0 || (all + wanted <= maxPending && ofIts + wanted <= maxPending - reserve);
    return fits ? { count: wanted, place } : null;
  }

  function forLive(wanted: number): QuotaGrant | null {
    // Mostly others that came live: they are in order as they are.
    if (held.backlog <= held.live) return inLine(wanted, 'live', held.live + held.front);
    const free = maxPending - held.backlog - held.live - held.front;
    const count = Math.min(wanted, free, credit, most - held.front);
    if (count > 0) return { count, place: 'front' };
    // The backlog may be unable to move (its batch is paused): what can move shows it, and earns the others their way.
    const under = held.live + held.front;
    const inLineNow = under === 0 ? IN_LINE : under < BESIDE ? 1 : 0;
    const tried = Math.min(wanted, free, inLineNow);
    if (tried > 0) return { count: tried, place: 'live' };
    return null;
  }

  return {
    take(wanted, arrival) {
      const grant = arrival === 'live' ? forLive(wanted) : inLine(wanted, 'backlog', held.backlog);
      if (grant === null) return null;
      held[grant.place] += grant.count;
      if (grant.place === 'front') credit -= grant.count;
      return grant;
    },
    giveBack(place, count) {
      held[place] -= count;
      if (place === 'front') credit = Math.min(most, credit + count);
    },
    recorded(place) {
      held[place] -= 1;
      if (place !== 'front') credit = Math.min(most, credit + AHEAD_PER_ONE);
    },
    known(place) {
      held[place] += 1;
      if (place === 'front') credit -= 1;
    },
  };
}
