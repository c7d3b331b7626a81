import type { Proc, Story } from './proc.ts';
import type { World } from './world.ts';

/** One batch at a time, of what was handed over and of finished singles: append, sync, ledger; then the ids are freed. */
export function* recorder(w: World, p: Proc): Story {
  const { disk } = w;
  for (;;) {
    yield () => !disk.full && (p.out.length > 0 || w.redis.singles.completed.length > 0);
    if (!w.isStillOwner(p)) return;
    const finished = yield* w.command(p, (redis) =>
      redis.singles.completed.map((id) => ({ id, result: redis.jobs.get(id)?.result })),
    );
    const isResult = (result: string | undefined): boolean =>
      result !== undefined && (result !== 'empty' || !w.on.emptyJob);
    const results = finished.filter(({ result }) => isResult(result)).map(({ id }) => id);
    const all = [...new Set([...p.out, ...results])];
    const fresh = w.on.dropLate ? all.filter((id) => !disk.ledger.has(id)) : all;
    const taken = [...p.out];
    p.batch = fresh;
    yield null;
    if (disk.full) {
      p.batch = [];
      continue;
    }
    if (!w.isStillOwner(p)) return;
    for (const id of fresh) {
      if (disk.lines.includes(id)) w.fail(`2: two receipts for ${id}`);
      disk.lines.push(id);
    }
    yield null;
    disk.synced = disk.lines.length;
    for (const id of disk.lines) if (!disk.at.has(id)) disk.at.set(id, w.t);
    yield null;
    if (!w.isStillOwner(p)) return;
    for (const id of fresh) disk.ledger.add(id);
    p.out = p.out.filter((id) => !taken.includes(id));
    for (const id of taken) if (p.hand.get(id) === 'out') p.hand.delete(id);
    if (!w.on.keepKnown) for (const id of fresh) p.pending.delete(id);
    p.batch = [];
    if (finished.length > 0) {
      yield* w.enter(p);
      yield* w.command(
        p,
        (redis) => {
          for (const { id } of finished) redis.remove(id);
        },
        true,
      );
      for (const { id } of finished) p.pending.delete(id);
      w.leave(p);
    }
    for (const id of taken) if (p.pending.get(id) !== 'single') p.pending.delete(id);
    if (finished.some(({ result }) => result === 'empty' || result === undefined)) w.ticks.scan++;
    if (w.maxPending < 99) w.ticks.scan ||= 1;
  }
}
