import { ending } from './owner.ts';
import { chanceOf } from './random.ts';
import { ModelRedis, STATES, type State } from './redis.ts';
import type { World } from './world.ts';

/** Threads that can go on now. */
export function readySteps(w: World): string[] {
  const ready: string[] = [];
  for (const p of Object.values(w.procs)) {
    if (!p.alive || p.paused) continue;
    for (const [name, { wait }] of Object.entries(p.threads))
      if (wait === null || wait()) ready.push(`${p.name}.${name}`);
  }
  return ready;
}

/** What happens by itself when there is occasion: no faults. */
export function occasions(w: World): string[] {
  const { singles, carriers, locks, present } = w.redis;
  const out: string[] = [];
  if (singles.delayed.length + carriers.delayed.length > 0) out.push('due');
  if ([...singles.active, ...carriers.active].some((id) => !locks.has(id))) out.push('stall');
  if ([...locks.values()].some((lock) => !isRenewed(lock))) out.push('expire');
  if ([...present].some((p) => !p.alive || p.paused)) out.push('presence');
  for (const name of ['P1', 'P2']) if (w.procs[name]?.alive === false) out.push(`start ${name}`);
  for (const p of Object.values(w.procs)) if (p.alive && p.paused) out.push(`wake ${p.name}`);
  if (!w.on.kernel && w.disk.lock?.paused) out.push('steal');
  if (w.disk.full) out.push('space');
  if (w.held) out.push('resume');
  if (w.late.length > 0) out.push('late');
  return out;
}

export function faultNames(w: World): string[] {
  const ofProcess = ['kill P1', 'pause P1', 'resend P1', 'silent P1', 'stop P1'];
  const evictions = ['wait', 'active', 'delayed', 'cwait', 'cactive', 'completed', 'opened', 'job', 'job'];
  const names = [
    ...ofProcess,
    ...['power', 'redis empty', 'flushall'],
    ...evictions.map((what) => `evict ${what}`),
    ...['snapshot', 'snapshot', 'full', 'lease', 'dest', 'join', 'hold'],
  ];
  if (w.snap !== null) names.push('rollback', 'rollback', 'rollback');
  if (w.procs.P2 !== undefined)
    names.push('kill P2', 'pause P2', 'resend P2', 'silent P2', 'leave', 'stop P2');
  return names;
}

type Lock = ReturnType<World['redis']['locks']['get']>;

function isRenewed(lock: NonNullable<Lock>): boolean {
  return lock.p.alive && !lock.p.paused && lock.p.locks.has(lock.token);
}

/** Lets one thing happen: something of the world, a fault, or a step of a thread. Nothing where it cannot. */
export function happen(w: World, name: string): void {
  w.t++;
  const [verb = '', arg = ''] = name.split(' ');
  const act = ACTS[verb];
  if (act === undefined) step(w, name);
  else act(w, arg, name);
}

type Act = (w: World, arg: string, name: string) => void;

const ACTS: Readonly<Record<string, Act>> = {
  due(w) {
    const { delayed, wait } = w.redis.singles.delayed.length > 0 ? w.redis.singles : w.redis.carriers;
    wait.push(...delayed.splice(0, 1));
  },
  stall: (w) => w.redis.stallCheck(),
  expire(w) {
    const found = [...w.redis.locks].find(([, lock]) => !isRenewed(lock));
    if (found === undefined) return;
    const [id, { token }] = found;
    w.redis.locks.delete(id);
    w.gone.add(token);
    w.note(`lock of ${id} expires`);
  },
  presence(w) {
    const absent = [...w.redis.present].find((p) => !p.alive || p.paused);
    if (absent !== undefined) w.redis.present.delete(absent);
  },
  start(w, arg) {
    if (w.procs[arg]?.alive !== false) return;
    w.start(arg);
    w.note(`start ${arg}`);
  },
  wake(w, arg) {
    const p = w.procs[arg];
    if (!p?.paused) return;
    p.paused = false;
    p.stale++;
    p.staleAt = w.t;
    w.note(`wake ${arg}`);
  },
  steal(w) {
    if (!w.disk.lock?.paused || w.on.kernel) return;
    w.disk.lock = null;
    w.note('the lease expires');
  },
  space(w) {
    w.disk.full = false;
  },
  resume(w) {
    w.held = false;
  },
  late(w) {
    w.late.shift()?.(w.redis);
    w.note('a late command lands');
  },
  rescan(w) {
    w.ticks.scan = 1;
  },
  compare(w) {
    w.ticks.compare = 1;
  },
  kill(w, arg, name) {
    if (!w.procs[arg]?.alive) return;
    w.fault(name);
    w.kill(arg);
  },
  pause(w, arg, name) {
    const p = w.procs[arg];
    if (!p?.alive || p.paused) return;
    w.fault(name);
    p.paused = true;
  },
  silent(w, arg, name) {
    const p = w.procs[arg];
    if (!p?.alive || p.paused) return;
    w.fault(name);
    p.stale++;
    p.staleAt = w.t;
    for (const [id, lock] of w.redis.locks) {
      if (lock.p !== p) continue;
      w.redis.locks.delete(id);
      w.gone.add(lock.token);
    }
  },
  resend(w, arg, name) {
    const p = w.procs[arg];
    if (!p?.alive) return;
    w.fault(name);
    p.dup = true;
  },
  stop(w, arg) {
    const p = w.procs[arg];
    if (!p?.alive || p.paused || p.closing) return;
    w.note(`SIGTERM ${arg}`);
    w.thread(p, 'end', ending(w, p));
  },
  hold(w) {
    w.held = true;
    w.note('hold');
  },
  power(w, _arg, name) {
    w.fault(name);
    for (const one of Object.keys(w.procs)) w.kill(one);
    w.disk.lines.length = w.disk.synced;
    if ([...w.disk.ledger].some((id) => !w.disk.lines.includes(id)))
      w.fail('1: the ledger counts a line that the journal has lost');
    const isOlder = w.snap !== null && chanceOf(`${w.seed}p${w.t}`) < 0.5;
    newRun(w, isOlder && w.snap !== null ? w.snap.copy(w.gone) : w.redis);
  },
  redis(w, _arg, name) {
    w.fault(name);
    newRun(w, new ModelRedis('', w.twice));
  },
  flushall(w, _arg, name) {
    w.fault(name);
    w.redis = new ModelRedis(w.redis.run, w.twice);
  },
  snapshot(w) {
    w.snap = w.redis.copy(w.gone);
  },
  rollback(w, _arg, name) {
    if (w.snap === null) return;
    w.fault(name);
    newRun(w, w.snap.copy(w.gone));
  },
  evict(w, arg, name) {
    w.fault(name);
    evict(w, arg);
  },
  full(w, _arg, name) {
    w.fault(name);
    w.disk.full = true;
  },
  lease(w, _arg, name) {
    const p = w.disk.lock;
    if (!p?.alive || p.paused) return;
    w.fault(name);
    w.kill(p.name);
  },
  dest(w, _arg, name) {
    if (w.dest !== 'a') return;
    w.fault(name);
    w.dest = 'b';
    w.kill('P1');
  },
  join(w) {
    if (w.procs.P2?.alive) return;
    w.start('P2');
    w.note('P2 appears');
  },
  leave(w, _arg, name) {
    const p = w.procs.P2;
    if (!p?.alive || p.paused) return;
    w.fault(name);
    w.kill('P2');
    w.redis.present.delete(p);
  },
};

function newRun(w: World, redis: ModelRedis): void {
  w.late = [];
  w.redis = redis;
  w.redis.run = `r${++w.runs}`;
}

function evict(w: World, what: string): void {
  if (what === 'opened') {
    w.redis.opened = null;
  } else if (what === 'job') {
    const ids = [...w.redis.jobs.keys()];
    const id = ids[Math.floor(chanceOf(`${w.seed}e${w.faults.length}`) * ids.length)];
    if (id !== undefined) w.redis.jobs.delete(id);
  } else {
    const isSingles = (STATES as readonly string[]).includes(what);
    const lists = isSingles ? w.redis.singles : w.redis.carriers;
    lists[(isSingles ? what : what.slice(1)) as State].length = 0;
  }
}

function step(w: World, name: string): void {
  const [process = '', thread = ''] = name.split('.');
  const p = w.procs[process];
  const story = p?.alive && !p.paused ? p.threads[thread] : undefined;
  if (p === undefined || story === undefined || (story.wait !== null && !story.wait())) return;
  const { done, value } = story.story.next();
  if (!p.alive) return;
  if (done) delete p.threads[thread];
  else story.wait = value ?? null;
  if (w.faults.length > 0 || w.upgraded) return;
  const files = [...w.redis.jobs].flatMap(([id, { data }]) => data?.ids ?? [id]);
  const open = new Set(files.filter((id) => !w.disk.ledger.has(id)));
  if (open.size > w.maxPending) w.fail('5: more than maxPending');
}
