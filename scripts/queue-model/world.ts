import { newProc, type Proc, type Story } from './proc.ts';
import { chanceOf, randomOf } from './random.ts';
import { ModelRedis } from './redis.ts';
import type { Rules } from './rules.ts';

/** One of the seven things that must hold did not; the message begins with its number. */
export class Violation extends Error {}

export interface WorldOptions {
  readonly faults?: number;
  /** Faults whose names begin so. */
  readonly only?: readonly string[];
  /** The last command of a killed process may land later. */
  readonly late?: boolean;
}

export interface Upload {
  readonly id: string;
  readonly proc: Proc | null;
  readonly start: number;
  /** Up to when what is known was asked. */
  readonly asked: number;
  readonly n: number;
  end?: number;
  how?: string;
}

/** Seen by nobody but the recorder and whoever becomes the owner. */
export interface Disk {
  lines: string[];
  /** Lines that are synced. */
  synced: number;
  readonly ledger: Set<string>;
  /** When a line became durable. */
  readonly at: Map<string, number>;
  full: boolean;
  lock: Proc | null;
}

/**
 * Files on disk, journal and ledger, Redis, one or two processes, the far side. What must hold: 1 one receipt a file
 * version at rest; 2 never two; 3 no upload whose receipt was durable when that was asked; 4 a second upload only with
 * a fault in between; 5 at most `maxPending` unrecorded in Redis; 6 nothing called lost without a fault that loses;
 * 7 nothing left over at rest.
 */
export class World {
  readonly seed: number;
  readonly on: Rules;
  readonly options: WorldOptions;
  /** Starts the threads of a process. */
  private readonly begin: (w: World, p: Proc) => void;
  /** Steps so far. */
  t = 0;
  readonly log: string[] = [];
  readonly faults: { readonly t: number; readonly name: string }[] = [];
  fresh = 0;
  dest = 'a';
  held = false;
  readonly paths: readonly string[];
  readonly carrierSize: number;
  readonly maxPending: number;
  readonly badAnswers: number;
  readonly uploads: Upload[] = [];
  lost = 0;
  lostAnswers = 0;
  quiet = false;
  readonly ticks = { scan: 1, compare: 0 };
  readonly disk: Disk = { lines: [], synced: 0, ledger: new Set(), at: new Map(), full: false, lock: null };
  readonly twice = new Set<string>();
  redis: ModelRedis;
  runs = 1;
  snap: ModelRedis | null = null;
  readonly gone = new Set<string>();
  late: ((redis: ModelRedis) => unknown)[] = [];
  /** It began with a queue of one job a file. */
  readonly upgraded: boolean;
  readonly procs: Record<string, Proc> = {};

  constructor(seed: number, rules: Rules, options: WorldOptions, begin: (w: World, p: Proc) => void) {
    const random = randomOf(seed);
    this.seed = seed;
    this.on = rules;
    this.options = options;
    this.begin = begin;
    const files = 3 + Math.floor(random() * 4);
    this.carrierSize = 2 + Math.floor(random() * 2);
    this.maxPending = random() < 0.4 ? this.carrierSize : 99;
    this.badAnswers = random() < 0.5 ? 0 : 0.25;
    this.paths = Array.from({ length: files }, (_, index) => `f${index}`);
    this.redis = new ModelRedis('r1', this.twice);
    if (random() < 0.15) this.fillAsBefore();
    this.upgraded = this.redis.jobs.size > 0;
    this.start('P1');
    if (random() < 0.5) this.start('P2');
  }

  /** The layout before carriers: one job a file, finished jobs as results. */
  private fillAsBefore(): void {
    for (const path of this.paths) {
      const chance = chanceOf(`${this.seed}${path}old`);
      const id = `${path}@a`;
      if (chance >= 0.7) continue;
      this.redis.add(id, [id], chance > 0.5);
      if (chance >= 0.25) continue;
      this.redis.singles.wait.pop();
      this.redis.singles.completed.push(id);
      const job = this.redis.jobs.get(id);
      if (job !== undefined) job.result = 'ok';
      this.uploads.push({ id, proc: null, start: -1, asked: -1, n: this.uploads.length, end: -1, how: 'ok' });
    }
  }

  fail(what: string): never {
    throw new Violation(what);
  }

  note(text: string): void {
    this.log.push(`${String(this.t).padStart(4)}  ${text}`);
  }

  fault(name: string): void {
    this.faults.push({ t: this.t, name });
    this.note(`FAULT ${name}`);
  }

  idOf(path: string, dest: string = this.dest): string {
    return `${path}@${dest}`;
  }

  isForeign(p: Proc, id: string): boolean {
    return !id.endsWith(`@${p.dest}`);
  }

  /** Recorded, or with the recorder. */
  isKnown(p: Proc, id: string): boolean {
    return this.disk.ledger.has(id) || (this.on.overlay && (p.batch.includes(id) || p.out.includes(id)));
  }

  isDurable(id: string): boolean {
    return this.disk.ledger.has(id) || this.disk.lines.slice(0, this.disk.synced).includes(id);
  }

  start(name: string): void {
    const p = newProc(name, this.dest, ++this.fresh);
    this.procs[name] = p;
    this.begin(this, p);
  }

  thread(p: Proc, name: string, story: Story): void {
    p.threads[name] = { story, wait: null };
  }

  kill(name: string): void {
    const p = this.procs[name];
    if (!p?.alive) return;
    p.alive = false;
    p.threads = {};
    for (const upload of this.uploads) {
      if (upload.proc !== p || upload.end !== undefined) continue;
      upload.end = this.t;
      upload.how = chanceOf(`${this.seed}k${upload.n}`) < 0.5 ? 'lost' : 'cut';
    }
    if (this.options.late && p.sent !== null) this.late.push(p.sent);
    if (this.disk.lock === p) this.disk.lock = null;
  }

  /** One command or script. After a cut connection the client sends it again. @param fence only the owner may */
  *command<T>(p: Proc, change: (redis: ModelRedis) => T, fence = false): Story<T> {
    p.sent = change;
    yield null;
    if (fence && this.on.fenceAdd && this.disk.lock !== p) {
      this.kill(p.name);
      yield () => false;
    }
    let value = change(this.redis);
    if (p.sent === change) p.sent = null;
    if (p.dup) {
      p.dup = false;
      yield null;
      value = change(this.redis);
    }
    return value;
  }

  /** One that must not be sent twice: a job is taken by it. */
  *commandOnce<T>(change: (redis: ModelRedis) => T): Story<T> {
    yield null;
    return change(this.redis);
  }

  *enter(p: Proc): Story {
    if (!this.on.mutex) {
      yield null;
      return;
    }
    yield () => !p.mutex;
    p.mutex = true;
  }

  leave(p: Proc): void {
    p.mutex = false;
  }

  hasOthers(p: Proc): boolean {
    return [...this.redis.present].some((other) => other !== p);
  }

  /** Whether the owner still is it, where it asks. */
  isStillOwner(p: Proc): boolean {
    if (this.disk.lock === p || !this.on.fence) return true;
    this.kill(p.name);
    return false;
  }

  isOwnOpen(p: Proc): boolean {
    return p.open && (!this.on.ownGate || this.redis.opened === this.redis.run);
  }

  *upload(p: Proc, id: string, asked: number): Story<string> {
    const before = this.uploads.filter((one) => one.id === id && !['retry', 'cut'].includes(one.how ?? ''));
    const isExempt = this.twice.has(id);
    if (!isExempt && this.isDurable(id) && (this.disk.at.get(id) ?? -1) <= asked)
      this.fail(`3: ${id} is uploaded although its receipt is durable`);
    for (const one of before) {
      if (isExempt || one.how === 'lost' || this.faults.some(({ t }) => t > one.asked)) continue;
      this.fail(`4: ${id} is uploaded again, no fault since the upload at step ${one.start} was asked for`);
    }
    const upload: Upload = { id, proc: p, start: this.t, asked, n: this.uploads.length };
    this.uploads.push(upload);
    this.note(`${p.name} begins upload of ${id}`);
    yield null;
    const times = this.uploads.filter((one) => one.id === id).length;
    const x = chanceOf(`${this.seed}|${id}|${times}`);
    const bad = this.quiet ? 0 : this.badAnswers;
    upload.end = this.t;
    upload.how = x < bad * 0.3 ? 'lost' : x < bad * 0.7 ? 'retry' : x < bad ? 'refused' : 'ok';
    if (upload.how === 'lost') this.lostAnswers++;
    this.note(`${p.name} ends upload of ${id}: ${upload.how}`);
    return upload.how === 'lost' ? 'retry' : upload.how;
  }
}
