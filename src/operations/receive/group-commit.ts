/** Makes things durable together: what comes while one commit is under way shares the next. */
export interface GroupCommit<T> {
  /** Resolves when it is durable; rejects with what its commit threw. */
  add(item: T): Promise<void>;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

/** More at once would keep the event loop, and those who wait, for too long. */
const MOST = 500;

/** @param commit all or nothing */
export function createGroupCommit<T>(commit: (items: readonly T[]) => Promise<void>): GroupCommit<T> {
  type Waiting = {
    readonly item: T;
    readonly resolve: () => void;
    readonly reject: (error: unknown) => void;
  };
  let waiting: Waiting[] = [];
  let running: Promise<void> | null = null;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, MOST);
      waiting = waiting.slice(MOST);
      try {
        await commit(group.map(({ item }) => item));
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    running = null;
  }

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        running ??= run();
      }),
    settled: () => running ?? Promise.resolve(),
  };
}
