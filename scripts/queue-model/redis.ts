import type { Proc } from './proc.ts';

export const STATES = ['wait', 'active', 'delayed', 'completed'] as const;
export type State = (typeof STATES)[number];
type Lists = Record<State, string[]>;

export interface Job {
  /** The files it carries; null: its hash was evicted. */
  data: { readonly ids: readonly string[] } | null;
  /** Times started. */
  ats: number;
  /** Times stalled. */
  stc: number;
  result?: string;
}

export interface Taken extends Pick<Job, 'data' | 'ats' | 'stc'> {
  readonly id: string;
}

interface Lock {
  readonly token: string;
  readonly p: Proc;
}

/** A carrier's id begins with J; it has a queue of its own. */
export function isCarrier(id: string): boolean {
  return id[0] === 'J';
}

/** Redis as one source has it, with BullMQ's scripts as they change it: each method is one atomic step. */
export class ModelRedis {
  run: string;
  opened: string | null = null;
  jobs = new Map<string, Job>();
  singles: Lists = { wait: [], active: [], delayed: [], completed: [] };
  carriers: Lists = { wait: [], active: [], delayed: [], completed: [] };
  locks = new Map<string, Lock>();
  done = new Map<string, string>();
  present = new Set<Proc>();
  /** Files whose id stands twice: their job's hash was evicted between the two sendings of one add. */
  readonly twice: Set<string>;

  constructor(run: string, twice: Set<string>) {
    this.run = run;
    this.twice = twice;
  }

  /** A snapshot comes back without the locks that had run out by then. */
  copy(gone: ReadonlySet<string>): ModelRedis {
    const copy = new ModelRedis(this.run, this.twice);
    copy.opened = this.opened;
    copy.jobs = new Map([...this.jobs].map(([id, job]) => [id, { ...job }]));
    for (const state of STATES) {
      copy.singles[state] = [...this.singles[state]];
      copy.carriers[state] = [...this.carriers[state]];
    }
    copy.locks = new Map([...this.locks].filter(([, { token }]) => !gone.has(token)));
    copy.done = new Map(this.done);
    copy.present = new Set(this.present);
    return copy;
  }

  of(id: string): Lists {
    return isCarrier(id) ? this.carriers : this.singles;
  }

  inState(id: string): boolean {
    return STATES.some((state) => this.of(id)[state].includes(id));
  }

  add(id: string, ids: readonly string[], delayed = false): void {
    if (this.jobs.has(id)) return;
    if (this.inState(id)) for (const file of ids) this.twice.add(file);
    this.jobs.set(id, { data: { ids }, ats: 0, stc: 0 });
    this.of(id)[delayed ? 'delayed' : 'wait'].push(id);
  }

  take(p: Proc, token: string, lists: Lists): Taken | null {
    const id = lists.wait.shift();
    if (id === undefined) return null;
    lists.active.push(id);
    const job = this.hashOf(id);
    job.ats++;
    this.locks.set(id, { token, p });
    return { id, data: job.data, ats: job.ats, stc: job.stc };
  }

  private hashOf(id: string): Job {
    const job = this.jobs.get(id) ?? { data: null, ats: 0, stc: 0 };
    this.jobs.set(id, job);
    return job;
  }

  private unlock(id: string, token: string): boolean {
    if (!this.jobs.has(id) || this.locks.get(id)?.token !== token) return false;
    this.locks.delete(id);
    const { active } = this.of(id);
    const at = active.indexOf(id);
    if (at < 0) return false;
    active.splice(at, 1);
    return true;
  }

  /** @param result left out: the job is removed with it */
  finish(id: string, token: string, result?: string): boolean {
    if (!this.unlock(id, token)) return false;
    if (result === undefined) this.jobs.delete(id);
    else {
      this.hashOf(id).result = result;
      this.singles.completed.push(id);
    }
    return true;
  }

  moveTo(state: 'wait' | 'delayed', id: string, token: string): boolean {
    if (!this.unlock(id, token)) return false;
    this.of(id)[state].push(id);
    return true;
  }

  remove(id: string): boolean {
    if (this.locks.has(id)) return false;
    for (const state of STATES) {
      const list = this.of(id)[state];
      for (let at = list.indexOf(id); at >= 0; at = list.indexOf(id)) list.splice(at, 1);
    }
    this.jobs.delete(id);
    return true;
  }

  /** BullMQ's look for stalled jobs. */
  stallCheck(): void {
    for (const { active, wait } of [this.singles, this.carriers]) {
      for (const id of [...active]) {
        if (this.locks.has(id)) continue;
        active.splice(active.indexOf(id), 1);
        this.hashOf(id).stc++;
        wait.unshift(id);
      }
    }
  }
}
