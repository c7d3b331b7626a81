/** One fault and the time in which it may cause a file to be sent again. */
export interface Struck {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What has struck the processes and Redis: what a repeated upload has to be explained by. */
export interface FaultLog {
  /** @param lingerMs how long after its end it may still show: a lost lock or job is noticed seconds later */
  struck(name: string, fromMs: number, toMs: number, lingerMs?: number): void;
  all(): readonly Struck[];
  tally(): Readonly<Record<string, number>>;
}

/** Nothing yet. */
export function faultLog(): FaultLog {
  const list: Struck[] = [];
  return {
    struck: (name, fromMs, toMs, lingerMs = 0) => void list.push({ name, fromMs, toMs: toMs + lingerMs }),
    all: () => list,
    tally() {
      const counts: Record<string, number> = {};
      for (const { name } of list) counts[name] = (counts[name] ?? 0) + 1;
      return counts;
    },
  };
}
