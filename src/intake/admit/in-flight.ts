import { createCondition } from '../../platform/waiting/condition.ts';
import type { Candidate } from './candidate.ts';

/** A version in hand, on its way from being found to the queue or to its receipt. */
export interface OpenVersion {
  readonly jobId: string;
  /** The file version's id. */
  readonly id: string;
  /** The generation that it needs. */
  readonly gen: number;
}

/** The needs that are neither queued nor recorded yet: between two books, and counted in neither of the others. */
export interface InFlight {
  /** False: it is open already. */
  add(need: Pick<Candidate, 'jobId' | 'id' | 'ruling'>): boolean;
  /** Queued, recorded, or out of sight. */
  done(needs: readonly Pick<Candidate, 'jobId'>[]): void;
  has(jobId: string): boolean;
  all(): Iterable<OpenVersion>;
  size(): number;
  /** Resolves when all that are open now are done; rejects when the signal fires. */
  passed(signal: AbortSignal): Promise<void>;
}

/** None open. */
export function createInFlight(): InFlight {
  // Insertion order is the order of the sequence numbers.
  const open = new Map<string, OpenVersion & { readonly seq: number }>();
  const condition = createCondition();
  let seq = 0;

  function oldest(): number {
    for (const first of open.values()) return first.seq;
    return seq;
  }

  return {
    add({ jobId, id, ruling: { gen } }) {
      if (open.has(jobId)) return false;
      open.set(jobId, { jobId, id, gen, seq: seq++ });
      return true;
    },
    done(needs) {
      for (const { jobId } of needs) open.delete(jobId);
      condition.changed();
    },
    has: (jobId) => open.has(jobId),
    all: () => open.values(),
    size: () => open.size,
    passed(signal) {
      const until = seq;
      return condition.until(() => oldest() >= until, signal);
    },
  };
}
