import { faultNames, happen, occasions, readySteps } from './happenings.ts';
import { ownership, presence } from './owner.ts';
import type { Proc } from './proc.ts';
import { randomOf } from './random.ts';
import { STATES } from './redis.ts';
import type { Rules } from './rules.ts';
import { singleRuns } from './singles.ts';
import { Violation, World, type WorldOptions } from './world.ts';

/** How one schedule ended. */
export interface Ending {
  readonly world: World;
  /** null: all that must hold held. */
  readonly violation: string | null;
  /** What happened, in order: the schedule again. */
  readonly plan: readonly string[];
}

const SINGLE_RUNS = 2;
const MOST_STEPS_TO_REST = 6000;

function begin(w: World, p: Proc): void {
  w.thread(p, 'main', ownership(w, p));
  w.thread(p, 'pres', presence(w, p));
  for (let n = 0; n < SINGLE_RUNS; n++) w.thread(p, `w${n}`, singleRuns(w, p, n));
}

/** Runs a schedule of its seed, or a given plan; then faults are over, and everything must come to rest as it should. */
export function runSchedule(
  seed: number,
  rules: Rules,
  options: WorldOptions = {},
  plan?: readonly string[],
): Ending {
  const world = new World(seed, rules, options, begin);
  const happened: string[] = [];
  try {
    for (const name of plan ?? chosen(seed, world, options)) {
      happened.push(name);
      happen(world, name);
    }
    settle(world);
    return { world, violation: null, plan: happened };
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { world, violation: error.message, plan: happened };
  }
}

/** What happens next, by chance. */
function* chosen(seed: number, w: World, options: WorldOptions): Generator<string, void> {
  const random = randomOf(seed ^ 0x5bd1e995);
  const oneOf = (names: readonly string[]): string => names[Math.floor(random() * names.length)] ?? 'rescan';
  let faultsLeft = options.faults ?? [0, 1, 1, 2, 2, 3, 4][Math.floor(random() * 7)] ?? 0;
  const length = 20 + Math.floor(random() * 150);
  let last = '';
  for (let index = 0; index < length; index++) {
    let pick = '';
    const x = random();
    if (faultsLeft > 0 && x < 0.06) {
      const { only } = options;
      const names = faultNames(w).filter((name) => only?.some((one) => name.startsWith(one)) ?? true);
      pick = oneOf(names);
      if (!['snapshot', 'join', 'hold'].includes(pick)) faultsLeft--;
    } else if (x < 0.13) {
      const names = occasions(w);
      if (names.length > 0) pick = oneOf(names);
    } else if (x < 0.16) {
      pick = random() < 0.5 ? 'rescan' : 'compare';
    }
    if (pick === '') {
      const steps = readySteps(w);
      if (steps.length === 0) {
        const names = occasions(w);
        pick = names.length > 0 ? oneOf(names) : 'rescan';
      } else {
        pick = steps.includes(last) && random() < 0.45 ? last : oneOf(steps);
        last = pick;
      }
    }
    yield pick;
  }
}

/** Faults are over: everything runs until it rests. */
function settle(w: World): void {
  w.quiet = true;
  for (const name of ['P2', 'P1']) {
    const p = w.procs[name];
    if (!p?.alive || p.dest === w.dest) continue;
    w.faults.push({ t: w.t, name: 'restart' });
    w.kill(name);
  }
  w.note('--- faults end');
  let idle = 0;
  for (let n = 0; n < MOST_STEPS_TO_REST && idle <= 6; n++) {
    const steps = readySteps(w);
    const others = occasions(w);
    if (n % 60 === 59) w.ticks.compare = 1;
    const other = others[n % Math.max(1, others.length)];
    const step = steps[n % Math.max(1, steps.length)];
    if (step !== undefined) {
      happen(w, step);
      if (other !== undefined && n % 7 === 0) happen(w, other);
    } else if (other !== undefined) {
      happen(w, other);
    } else if (++idle <= 6) {
      w.ticks.scan = 1;
      w.ticks.compare = 1;
    }
  }
  if (idle <= 6) w.fail('1: it never comes to rest');
  atRest(w);
}

function atRest(w: World): void {
  const { disk, redis } = w;
  for (const path of w.paths) {
    const count = disk.lines.filter((id) => id === w.idOf(path)).length;
    if (count !== 1) w.fail(`1: ${w.idOf(path)} ends with ${count} receipts`);
  }
  if (new Set(disk.lines).size !== disk.lines.length) w.fail('2: two receipts');
  const owner = disk.lock;
  const left = STATES.some((state) => redis.singles[state].length + redis.carriers[state].length > 0);
  if (redis.jobs.size > 0 || left || owner?.pending.size || owner?.hand.size)
    w.fail(
      `7: left over: ${[...redis.jobs.keys()]} ${[...(owner?.pending ?? [])]} ${[...(owner?.hand ?? [])]}`,
    );
  if (w.faults.length > 0 || w.lostAnswers > 0) return;
  for (const path of w.paths) {
    const times = w.uploads.filter(({ id, how }) => id === w.idOf(path) && how !== 'retry').length;
    if (times > 1) w.fail(`4: ${path} accepted ${times} times in a healthy run`);
  }
}

/** The shortest plan found that still ends in a violation of the same kind. */
export function shrink(
  seed: number,
  rules: Rules,
  { plan, violation }: Ending,
  options: WorldOptions = {},
): readonly string[] {
  const kind = violation?.slice(0, 2) ?? '';
  const isAsBad = (shorter: readonly string[]): boolean =>
    runSchedule(seed, rules, options, shorter).violation?.startsWith(kind) ?? false;
  let current = plan;
  for (let size = Math.max(1, current.length >> 1); size >= 1; size >>= 1) {
    for (let start = 0; start < current.length; ) {
      const shorter = [...current.slice(0, start), ...current.slice(start + size)];
      if (isAsBad(shorter)) current = shorter;
      else start += size;
    }
  }
  return current;
}
