/**
 * The jobs a worker is busy with. BullMQ hands out a job a second time, even to the same worker, once its lock was
 * lost (a long stop, a lost Redis); while the first go still runs, the second one shares it: one process never sends
 * the same file twice at once.
 */
export interface JobsInHand<T> {
  /** Different jobs in hand. */
  size(): number;
  /** Runs `work`, or joins the run of this job that is under way. */
  share(jobId: string, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Counts the job as in hand until the returned function is called. */
  enter(jobId: string): () => void;
  /** Fires the signal of every run. */
  abort(reason: string): void;
}

interface Run<T> {
  readonly cut: AbortController;
  readonly result: Promise<T>;
}

/** None in hand. */
export function jobsInHand<T>(): JobsInHand<T> {
  const runs = new Map<string, Run<T>>();
  const entered = new Map<string, number>();
  return {
    size: () => entered.size,

    share(jobId, work) {
      const running = runs.get(jobId);
      if (running !== undefined) return running.result;
      const cut = new AbortController();
      const result = work(cut.signal).finally(() => runs.delete(jobId));
      runs.set(jobId, { cut, result });
      return result;
    },

    enter(jobId) {
      entered.set(jobId, (entered.get(jobId) ?? 0) + 1);
      return () => {
        const left = (entered.get(jobId) ?? 1) - 1;
        if (left === 0) entered.delete(jobId);
        else entered.set(jobId, left);
      };
    },

    abort(reason) {
      for (const { cut } of runs.values()) cut.abort(reason);
    },
  };
}
