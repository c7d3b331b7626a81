import type { Redis } from 'ioredis';
import type { Outcome } from '../domain/receipt.ts';
import { sourceKey } from '../redis/queue-key.ts';

/** How long a result survives in Redis beside a job that another worker holds by then. */
const DONE_TTL_SECONDS = 60 * 60;
/** Of those that nobody came back for the oldest are forgotten past this. */
const MAX_KEPT = 1_000;

/** Key of a result beside the job it belongs to (rule doneKey). */
export function doneKey(prefix: string, source: string, jobId: string): string {
  return sourceKey(prefix, source, `done:${jobId}`);
}

/**
 * Results of this worker until they are known to be published: a job whose lock was lost meanwhile (Redis was silent for
 * longer, refused to write, or lost the job) runs again, here or elsewhere, and what has come for it is not sent again.
 */
export interface KeptResults {
  find(jobId: string): Outcome | null;
  keep(jobId: string, outcome: Outcome): void;
  /** It lies in Redis where its owner finds it. */
  published(jobId: string): void;
  /** Whoever runs the job next, in whatever process, finds it. */
  share(jobId: string, outcome: Outcome): Promise<void>;
  /** The same for all that are not known to be published: something of them was refused. Never rejects. */
  shareAll(): void;
}

/** None kept. @param connection shared; the caller closes it */
export function keptResults(connection: Redis, prefix: string, source: string): KeptResults {
  const here = new Map<string, Outcome>();
  let sharing = false;

  async function share(jobId: string, outcome: Outcome): Promise<void> {
    await connection.set(doneKey(prefix, source, jobId), JSON.stringify(outcome), 'EX', DONE_TTL_SECONDS);
  }

  return {
    find: (jobId) => here.get(jobId) ?? null,
    keep(jobId, outcome) {
      here.delete(jobId);
      here.set(jobId, outcome);
      const [oldest] = here.keys();
      if (here.size > MAX_KEPT && oldest !== undefined) here.delete(oldest);
    },
    published: (jobId) => void here.delete(jobId),
    share,
    shareAll() {
      // While Redis is away nothing is refused, and what is asked of it would pile up.
      if (sharing || connection.status !== 'ready') return;
      sharing = true;
      // Those that fail are still here, and go with the next that is refused.
      void Promise.allSettled([...here].map(([jobId, outcome]) => share(jobId, outcome))).then(() => {
        sharing = false;
      });
    },
  };
}
