import type { Redis } from 'ioredis';
import { sourceKey } from '../redis/queue-key.ts';
import { decodeOutcome } from './codec.ts';

/** How long a result survives in Redis beside a job that another worker holds by then. */
export const DONE_TTL_SECONDS = 60 * 60;
/** Of those that nobody came back for the oldest are forgotten past this. */
const MAX_KEPT = 1_000;

/**
 * Results of this worker until they are known to be published: a job whose lock was lost meanwhile (Redis was silent for
 * longer, refused to write, or lost the job) runs again, here or elsewhere, and what has come for it is not sent again.
 */
export interface KeptResults {
  /** Key of a result beside its job, in the same slot: `doneKeys` and the job's id. */
  readonly doneKeys: string;
  /** An earlier run's result of this job. @param started how often the job was started, this time included */
  find(jobId: string, started: number): Promise<string | null>;
  keep(jobId: string, outcome: string): void;
  /** It lies in Redis where its owner finds it. */
  published(jobId: string): void;
  /** Whoever runs the job next, in whatever process, finds it. */
  share(jobId: string, outcome: string): Promise<void>;
}

/** None kept. @param connection shared; the caller closes it */
export function keptResults(connection: Redis, prefix: string, source: string): KeptResults {
  const here = new Map<string, string>();
  const doneKeys = sourceKey(prefix, source, 'done:');
  return {
    doneKeys,

    async find(jobId, started) {
      const mine = here.get(jobId);
      if (mine !== undefined) return mine;
      if (started <= 1) return null;
      const text = await connection.get(doneKeys + jobId);
      if (text !== null) decodeOutcome(text);
      return text;
    },

    keep(jobId, outcome) {
      here.delete(jobId);
      here.set(jobId, outcome);
      const [oldest] = here.keys();
      if (here.size > MAX_KEPT && oldest !== undefined) here.delete(oldest);
    },

    published: (jobId) => void here.delete(jobId),

    async share(jobId, outcome) {
      await connection.set(doneKeys + jobId, outcome, 'EX', DONE_TTL_SECONDS);
    },
  };
}
