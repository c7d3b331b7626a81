import { carrierRuns } from './carriers.ts';
import { compare } from './comparison.ts';
import type { Proc, Story } from './proc.ts';
import { chanceOf } from './random.ts';
import { recorder } from './recorder.ts';
import type { World } from './world.ts';

/** How many carriers are run at once. */
const CARRIER_RUNS = 2;

/** Says that this process serves the source. */
export function* presence(w: World, p: Proc): Story {
  for (;;) {
    yield () => !w.redis.present.has(p);
    yield* w.command(p, (redis) => redis.present.add(p));
  }
}

/** Becomes the owner when nobody is: replay, compare, open; again whenever `opened` is not this run of Redis. */
export function* ownership(w: World, p: Proc): Story {
  yield () => w.disk.lock === null;
  const { disk } = w;
  disk.lock = p;
  p.owner = true;
  p.open = false;
  w.note(`${p.name} becomes the owner`);
  if (w.on.clientKill) w.late = [];
  if (w.on.replaySync) {
    yield null;
    disk.synced = disk.lines.length;
    for (const id of disk.lines) if (!disk.at.has(id)) disk.at.set(id, w.t);
  }
  yield null;
  for (const id of disk.lines) disk.ledger.add(id);
  let seen: string | null = null;
  for (;;) {
    const last: string | null = seen;
    yield () => last === null || (w.on.openPoll ? w.redis.opened !== w.redis.run : w.redis.run !== last);
    p.open = false;
    const run: string = yield* w.command(p, (redis) => redis.run);
    yield* compare(w, p, true);
    yield* w.command(
      p,
      (redis) => {
        redis.opened = run;
      },
      true,
    );
    p.open = true;
    if (seen === null) {
      w.thread(p, 'rec', recorder(w, p));
      w.thread(p, 'scan', adder(w, p));
      w.thread(p, 'cmp', comparer(w, p));
      for (let n = 0; n < CARRIER_RUNS; n++) w.thread(p, `c${n}`, carrierRuns(w, p, n));
    }
    seen = run;
  }
}

function* comparer(w: World, p: Proc): Story {
  for (;;) {
    yield () => w.ticks.compare > 0 && w.isOwnOpen(p);
    w.ticks.compare--;
    yield* compare(w, p, false);
  }
}

/** Finds files on disk and adds what is not known, not pending and not in hand. */
function* adder(w: World, p: Proc): Story {
  for (;;) {
    yield () => w.ticks.scan > 0 && w.isOwnOpen(p) && !p.closing;
    w.ticks.scan--;
    const todo = w.paths.map((path) => w.idOf(path, p.dest));
    while (todo.length > 0) {
      yield* w.enter(p);
      if (!w.isOwnOpen(p) || p.closing) {
        w.ticks.scan = 1;
        w.leave(p);
        break;
      }
      const room = w.maxPending - p.pending.size;
      const some: string[] = [];
      while (todo.length > 0 && some.length < Math.min(w.carrierSize, room)) {
        const id = todo.shift() ?? '';
        if (!w.isKnown(p, id) && !p.pending.has(id) && !p.hand.has(id)) some.push(id);
      }
      if (some.length > 0) yield* add(w, p, some);
      w.leave(p);
      if (some.length === 0 && room <= 0) break;
    }
  }
}

function* add(w: World, p: Proc, some: readonly string[]): Story {
  const asSingles =
    (w.on.othersSingles && w.hasOthers(p)) ||
    (w.on.forgottenSingle && some.some((id) => p.forgotten.has(id))) ||
    // A big file is a single anyway.
    chanceOf(`${w.seed}s${some[0]}${w.fresh}`) < 0.1;
  if (asSingles) {
    for (const id of some) {
      p.pending.set(id, 'single');
      p.forgotten.delete(id);
    }
    yield* w.command(
      p,
      (redis) => {
        for (const id of some) redis.add(id, [id]);
      },
      true,
    );
    return;
  }
  const carrier = `J${++w.fresh}`;
  let members = some;
  if (w.on.existsCheck) {
    const taken = yield* w.command(p, (redis) => some.filter((id) => redis.jobs.has(id)));
    for (const id of taken) p.pending.set(id, 'single');
    members = some.filter((id) => !taken.includes(id));
  }
  for (const id of members) p.pending.set(id, carrier);
  if (members.length > 0) yield* w.command(p, (redis) => redis.add(carrier, members), true);
}

/** SIGTERM: what is in hand ends or goes back, what is handed over is recorded. */
export function* ending(w: World, p: Proc): Story {
  p.closing = true;
  yield () =>
    p.busy === 0 &&
    ![...p.hand.values()].some((by) => by !== 'out') &&
    !w.redis.carriers.active.some((id) => w.redis.locks.get(id)?.p === p) &&
    (w.disk.full || p.out.length === 0) &&
    p.batch.length === 0;
  if (p.out.length > 0) w.faults.push({ t: w.t, name: 'exit with outcomes in memory' });
  w.note(`${p.name} exits`);
  w.kill(p.name);
}
