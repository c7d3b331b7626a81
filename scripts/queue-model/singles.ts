import type { Proc, Story } from './proc.ts';
import type { Taken } from './redis.ts';
import type { World } from './world.ts';

/** Runs singles, one after the other, in any process. */
export function* singleRuns(w: World, p: Proc, n: number): Story {
  const mayTake = (): boolean =>
    p.owner ? w.isOwnOpen(p) : !w.on.openGate || w.redis.opened === w.redis.run;
  for (let k = 0; ; k++) {
    yield () => w.redis.singles.wait.length > 0 && mayTake() && !p.closing && !w.held;
    const token = `${p.name}.${p.inc}.${n}.${k}`;
    let mark = p.stale;
    let asked = w.t;
    p.busy++;
    const job = yield* w.commandOnce((redis) => {
      mark = p.stale;
      asked = w.t;
      const taken = redis.take(p, token, redis.singles);
      if (taken !== null) p.locks.add(token);
      return taken;
    });
    if (job === null) {
      p.busy--;
      continue;
    }
    yield* runOne(w, p, job, token, mark, asked);
    p.locks.delete(token);
    p.busy--;
    if (p.hand.get(job.id) === token) p.hand.delete(job.id);
  }
}

function* runOne(w: World, p: Proc, job: Taken, token: string, mark: number, asked: number): Story {
  const { id, data, ats } = job;
  const putOff = (): Story<boolean> => w.command(p, (redis) => redis.moveTo('delayed', id, token));
  if (data === null) {
    const had = w.on.doneAlways ? yield* w.command(p, (redis) => redis.done.get(id)) : undefined;
    yield* w.command(p, (redis) => redis.finish(id, token, had ?? 'empty'));
    return;
  }
  if (w.on.destCheck && w.isForeign(p, id)) {
    yield* putOff();
    return;
  }
  let how: string | null = null;
  if (w.on.gateAfter || w.on.doneAlways || ats > 1) {
    const [isOpen, had] = yield* w.command(p, (redis) => [
      !w.on.gateAfter || redis.opened === redis.run,
      w.on.doneKey && (ats > 1 || w.on.doneAlways) ? redis.done.get(id) : undefined,
    ]);
    if (!isOpen) {
      yield* putOff();
      return;
    }
    how = had ?? null;
  }
  let sure = mark;
  if (how === null) {
    yield null;
    let askedAt = asked;
    while (w.on.lockCheck && p.stale !== sure) {
      const stale = p.stale;
      const ours = yield* w.command(p, (redis) => {
        askedAt = w.t;
        const isOpen = !w.on.gateAfter || redis.opened === redis.run || p.owner;
        return redis.locks.get(id)?.token === token && isOpen;
      });
      if (!ours) return;
      sure = stale;
    }
    const isElsewhere = p.hand.has(id) && p.hand.get(id) !== token;
    if (p.owner && w.on.ownSkip && (w.isKnown(p, id) || isElsewhere)) {
      yield* putOff();
      return;
    }
    if (w.on.handFirst && !p.hand.has(id)) p.hand.set(id, token);
    how = yield* w.upload(p, id, Math.max(askedAt, p.staleAt));
  }
  if (how === 'retry') {
    yield* putOff();
    return;
  }
  const result = how;
  const keep = (): Story<unknown> => w.command(p, (redis) => redis.done.set(id, result));
  if (w.on.doneKey && p.stale !== sure) yield* keep();
  const ok = yield* w.command(p, (redis) => redis.finish(id, token, result));
  if (!ok && w.on.doneKey) yield* keep();
}
