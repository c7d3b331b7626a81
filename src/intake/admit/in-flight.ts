import type { FileVersion } from '../../domain/file-version.ts';
import type { Arrival } from '../../domain/lane.ts';
import type { SeenTimes } from '../../domain/sight.ts';
import { createCondition } from '../../platform/waiting/condition.ts';
import type { SeenFile } from '../scan/seen-file.ts';
import type { Decision } from './decision.ts';

/** A settled file version that needs a receipt, and what it takes to get one. */
export interface Candidate {
  readonly jobId: string;
  /** The file version's id. */
  readonly id: string;
  readonly version: FileVersion;
  readonly file: SeenFile;
  readonly sight: SeenTimes;
  readonly arrival: Arrival;
  readonly ruling: Exclude<Decision, { kind: 'nothing' }>;
  /** It was skipped for a limit that lets it pass now. */
  readonly unlimited: boolean;
}

/** One that is to be sent, unless another upload stands for it. */
export type UploadCandidate = Candidate & { readonly ruling: Extract<Decision, { kind: 'upload' }> };

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
