import type { Proc, Story } from './proc.ts';
import { isCarrier, STATES } from './redis.ts';
import type { World } from './world.ts';

/** Where a file's job stands: a list's name of a single, or the members of a carrier. */
type Place = string | readonly string[];

/** Every job in Redis, carriers with their members. */
function* readAll(w: World, p: Proc): Story<Map<string, Place>> {
  const places = new Map<string, Place>();
  const readCarriers = (): void => {
    for (const state of STATES)
      for (const id of w.redis.carriers[state]) places.set(id, w.redis.jobs.get(id)?.data?.ids ?? []);
  };
  const readSingles = (state: (typeof STATES)[number]): void => {
    for (const id of w.redis.singles[state])
      if (!isCarrier(id) || state === 'completed') places.set(id, state);
  };
  if (w.on.oneRead) {
    yield* w.command(p, () => {
      places.clear();
      for (const state of STATES) readSingles(state);
      readCarriers();
    });
    return places;
  }
  for (const state of ['wait', 'delayed', 'active', 'completed'] as const)
    yield* w.command(p, () => readSingles(state));
  yield* w.command(p, readCarriers);
  return places;
}

/** Recorded, or what a carrier's run here has in flight or handed over: a single of it may go. */
function isSettledElsewhere(w: World, p: Proc, id: string): boolean {
  if (w.disk.ledger.has(id)) return true;
  const hand = p.hand.get(id);
  return w.on.cleanHand && (p.batch.includes(id) || hand === 'out' || hand?.[0] === 'c');
}

/** Singles as they are to be pending; those that must not be sent any more are taken out. @returns who is held */
function* keepSingles(
  w: World,
  p: Proc,
  places: ReadonlyMap<string, Place>,
  now: Map<string, string>,
): Story<string[]> {
  const stuck: string[] = [];
  for (const [id, place] of places) {
    if (typeof place !== 'string') continue;
    const known = place !== 'completed' && isSettledElsewhere(w, p, id);
    const drop = place !== 'completed' && ((w.on.clean && known) || (w.on.otherDest && w.isForeign(p, id)));
    if (drop && (place !== 'active' || w.on.cleanActive)) {
      if (yield* w.command(p, (redis) => redis.remove(id), true)) continue;
      if (known) stuck.push(id);
    }
    now.set(id, 'single');
  }
  return stuck;
}

/** What was pending and is in Redis no more: kept while it is in hand or held, else found again on disk. */
function* forgetMissing(w: World, p: Proc, now: Map<string, string>): Story<boolean> {
  let forgot = false;
  for (const [id, where] of p.pending) {
    if (now.has(id)) continue;
    const isHere = (): boolean => w.on.lookHand && p.hand.has(id);
    if (!isHere() && w.isKnown(p, id)) continue;
    if (!isHere() && w.on.orphan) {
      const removed = yield* w.command(p, (redis) => redis.remove(where === 'single' ? id : where), true);
      if (!removed) {
        now.set(id, where);
        continue;
      }
      if (!isHere() && w.isKnown(p, id)) {
        now.set(id, where);
        continue;
      }
    }
    if (isHere()) {
      now.set(id, where);
      continue;
    }
    forgot = true;
    p.forgotten.add(id);
    w.lost++;
    w.ticks.scan++;
    w.note(`${p.name} forgets ${id} (${where})`);
    if (!w.upgraded && w.faults.every(({ name }) => /^(resend|pause|silent)/.test(name)))
      w.fail(`6: "${id}" called lost, no fault lost anything`);
  }
  return forgot;
}

/** Hashes in no list: held by somebody they count as singles, held by nobody they go. */
function* sweepOrphans(w: World, p: Proc, now: ReadonlyMap<string, string>): Story {
  const locked = yield* w.command(
    p,
    (redis) => {
      const held: string[] = [];
      for (const id of [...redis.jobs.keys()]) {
        if (redis.inState(id)) continue;
        if (redis.locks.has(id)) held.push(id);
        else redis.jobs.delete(id);
      }
      return held;
    },
    true,
  );
  for (const id of locked)
    if (!isCarrier(id) && !now.has(id) && !w.isKnown(p, id)) p.pending.set(id, 'single');
}

/** One routine at start, at a new run of Redis, and every few seconds: pending is what Redis has and what is in hand. */
export function* compare(w: World, p: Proc, opening: boolean): Story {
  for (;;) {
    yield* w.enter(p);
    const places = yield* readAll(w, p);
    const now = new Map<string, string>();
    const stuck = yield* keepSingles(w, p, places, now);
    for (const [carrier, place] of places) {
      if (typeof place === 'string') continue;
      for (const id of place)
        if (!w.isKnown(p, id) && (!now.has(id) || !w.on.singleWins)) now.set(id, carrier);
    }
    const forgot = yield* forgetMissing(w, p, now);
    if (w.on.moment && forgot) {
      yield null;
      for (const other of Object.values(w.procs)) {
        other.stale++;
        other.staleAt = w.t;
      }
    }
    for (const [id, where] of p.pending)
      if (!now.has(id) && w.on.lookHand && p.hand.has(id)) now.set(id, where);
    p.pending = now;
    if (w.on.orphanScan) yield* sweepOrphans(w, p, now);
    w.leave(p);
    if (!opening || stuck.length === 0) return;
    yield null;
    yield () => stuck.some((id) => !w.redis.locks.has(id));
  }
}
