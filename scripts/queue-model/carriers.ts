import type { Proc, Story } from './proc.ts';
import { chanceOf } from './random.ts';
import type { Taken } from './redis.ts';
import type { World } from './world.ts';

/** Runs carriers, one after the other, in the owner's process only. */
export function* carrierRuns(w: World, p: Proc, n: number): Story {
  for (let k = 0; ; k++) {
    yield () => w.redis.carriers.wait.length > 0 && w.isOwnOpen(p) && !w.disk.full && !isHalted(w, p);
    const token = `c.${p.name}.${p.inc}.${n}.${k}`;
    const job = yield* w.commandOnce((redis) => {
      const taken = redis.take(p, token, redis.carriers);
      if (taken !== null) p.locks.add(token);
      return taken;
    });
    if (job === null) continue;
    const { id, data } = job;
    if (data === null) yield* w.command(p, (redis) => redis.finish(id, token));
    else if (!(yield* runOne(w, p, job, data.ids, token))) return;
    p.locks.delete(token);
  }
}

function isHalted(w: World, p: Proc): boolean {
  return w.held || p.closing;
}

/** @returns false: this process is the owner no more */
function* runOne(w: World, p: Proc, job: Taken, ids: readonly string[], token: string): Story<boolean> {
  const givesBack = chanceOf(`${w.seed}g${job.id}`) < 0.2;
  const halt = (): boolean => isHalted(w, p);
  const done = w.on.carrierDone
    ? yield* w.command(p, (redis) => new Set(ids.filter((id) => redis.done.has(id))))
    : new Set<string>();
  let next = 0;
  let back = false;
  for (;;) {
    if (next >= ids.length) {
      if (!w.on.waitDurable) break;
      const isFree = (id: string): boolean => !isSettled(w, p, id) && !w.isKnown(p, id) && !p.hand.has(id);
      yield () => halt() || ids.every((id) => isSettled(w, p, id)) || (w.on.again && ids.some(isFree));
      if (ids.every((id) => isSettled(w, p, id))) break;
      if (halt()) {
        back = true;
        break;
      }
      next = 0;
    }
    const id = ids[next++] ?? '';
    yield () => !w.disk.full || halt();
    if (halt()) {
      back = true;
      break;
    }
    if (!w.isStillOwner(p)) return false;
    if (isSkipped(w, p, id)) continue;
    p.hand.set(id, token);
    if (done.has(id)) {
      handOver(p, id);
      continue;
    }
    if ((w.on.crashSingles && job.stc >= 2) || (givesBack && next > 1)) {
      yield* becomeSingle(w, p, id, token, false);
      continue;
    }
    const how = yield* w.upload(p, id, w.t);
    if (how === 'retry') yield* becomeSingle(w, p, id, token, true);
    else if (p.hand.get(id) === token) handOver(p, id);
    else p.out.push(id);
  }
  const ok = yield* w.command(p, (redis) =>
    back ? redis.moveTo('wait', job.id, token) : redis.finish(job.id, token),
  );
  p.locks.delete(token);
  if (!ok && w.on.orphan) yield* w.command(p, (redis) => redis.inState(job.id) || redis.remove(job.id));
  return true;
}

function handOver(p: Proc, id: string): void {
  p.hand.set(id, 'out');
  p.out.push(id);
}

function isSettled(w: World, p: Proc, id: string): boolean {
  return w.disk.ledger.has(id) || p.pending.get(id) === 'single' || w.isForeign(p, id);
}

function isSkipped(w: World, p: Proc, id: string): boolean {
  return (
    (w.on.skipLedger && w.disk.ledger.has(id)) ||
    (w.on.skipHand && (p.hand.has(id) || w.isKnown(p, id))) ||
    (w.on.retrySingle && p.pending.get(id) === 'single') ||
    (w.on.otherDest && w.isForeign(p, id))
  );
}

function* becomeSingle(w: World, p: Proc, id: string, token: string, delayed: boolean): Story {
  if (w.on.retryMutex) yield* w.enter(p);
  p.pending.set(id, 'single');
  yield* w.command(p, (redis) => redis.add(id, [id], delayed), true);
  if (p.hand.get(id) === token) p.hand.delete(id);
  if (w.on.retryMutex) w.leave(p);
}
