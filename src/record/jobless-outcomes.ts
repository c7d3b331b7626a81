import type { Outcome } from '../domain/receipt.ts';

/**
 * What the owner settles itself, without a job: a version that needs no upload, or can have none. Kept in memory until
 * it is recorded; after a kill whoever found it finds it again.
 */
export interface JoblessOutcomes {
  /** Resolves when they are durable; rejects when they cannot be any more. */
  add(outcomes: readonly Outcome[]): Promise<void>;
  /** The oldest, at most `max`; they stay until dropped. */
  peek(max: number): readonly Outcome[];
  /** The oldest so many are durable. */
  drop(count: number): void;
  size(): number;
  /** Nothing will be recorded any more. */
  fail(error: Error): void;
}

interface Asked {
  /** How many have to be dropped, counted from the beginning, until its own are. */
  readonly until: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** None yet. */
export function createJoblessOutcomes(): JoblessOutcomes {
  let waiting: Outcome[] = [];
  let added = 0;
  let dropped = 0;
  let asked: Asked[] = [];
  let failure: Error | null = null;

  return {
    add(outcomes) {
      if (failure !== null) return Promise.reject(failure);
      if (outcomes.length === 0) return Promise.resolve();
      waiting.push(...outcomes);
      added += outcomes.length;
      return new Promise((resolve, reject) => {
        asked.push({ until: added, resolve, reject });
      });
    },
    peek: (max) => waiting.slice(0, max),
    drop(count) {
      waiting = waiting.slice(count);
      dropped += count;
      const served = asked.filter(({ until }) => until <= dropped);
      asked = asked.filter(({ until }) => until > dropped);
      for (const { resolve } of served) resolve();
    },
    size: () => waiting.length,
    fail(error) {
      failure = error;
      waiting = [];
      for (const { reject } of asked) reject(error);
      asked = [];
    },
  };
}
