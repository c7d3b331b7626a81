import type { BatchProgress } from '../../domain/batch-progress.ts';
import type { BatchSource } from '../../domain/batch-source.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { OpenVersion } from '../admit/in-flight.ts';
import type { Intake } from '../intake.ts';
import { type BatchRun, type BatchRunOptions, startBatchRun } from './batch-run.ts';

/** The batches that this owner finds the files of. */
export interface BatchRunner {
  /** Begins, or goes on with one; one that is under way here, or has ended, is left as it is. */
  start(part: BatchSource): void;
  /** Looks through the inputs again: jobs were lost. */
  rescan(): void;
  /** After every commit, outside its transaction. */
  recorded(receipts: readonly Receipt[]): void;
  /** Resolves when the inputs of every batch here are looked through. Rejects when one cannot be. */
  caughtUp(): Promise<void>;
  /** Resolves when all of them have ended. */
  ended(): Promise<void>;
  /** null: this owner does not know it. */
  progress(batch: string): BatchProgress | null;
  /** What was found for them and is neither in the queue nor recorded yet. */
  inHand(): Iterable<OpenVersion>;
  /** Files seen for them that are not whole yet. */
  unsettled(): number;
  stop(): Promise<void>;
}

/** None under way. */
export function createBatchRunner(options: BatchRunOptions): BatchRunner {
  const runs = new Map<string, BatchRun>();
  const stopping = new AbortController();
  const { signal } = stopping;
  const all = (): BatchRun[] => [...runs.values()];

  function wakeAll(): void {
    for (const { wake } of runs.values()) wake();
  }

  signal.addEventListener('abort', wakeAll, { once: true });

  return {
    start(part) {
      const there = runs.get(part.batch);
      if (there === undefined) runs.set(part.batch, startBatchRun(part, options, signal));
      else there.resume();
    },
    rescan() {
      for (const run of runs.values()) run.rescan();
    },
    recorded(receipts) {
      for (const { batch, error, path, pathBytes } of receipts) {
        if (error?.code !== 'changed' || batch === null) continue;
        const name: PathName = pathBytes === undefined ? { path } : { path, pathBytes };
        runs.get(batch)?.changed(name);
      }
      wakeAll();
    },
    async caughtUp() {
      for (const run of runs.values()) await run.caughtUp();
    },
    async ended() {
      await Promise.all([...runs.keys()].map((batch) => options.records.ended(batch)));
    },
    progress: (batch) => runs.get(batch)?.progress() ?? null,
    *inHand() {
      for (const run of runs.values()) yield* run.inHand();
    },
    unsettled: () => all().reduce((sum, run) => sum + run.unsettled(), 0),
    async stop() {
      stopping.abort();
      await Promise.all(all().map((run) => run.stopped()));
    },
  };
}

/** The intake of a source that is not watched: one batch of it, and nothing that comes later. */
export function batchIntake(batch: string, runner: BatchRunner): Intake {
  return {
    async caughtUp() {
      await runner.caughtUp();
      // They are left out of the batch, which says so.
      return [];
    },
    rescan: runner.rescan,
    unsettled: runner.unsettled,
    touch() {},
    counts() {
      const { files = 0, bytes = 0, ignored = {}, unreadable = 0 } = runner.progress(batch)?.tally ?? {};
      const scan = { files, bytes, ignored, unobservable: unreadable };
      return { root: 'present', scan, reconciles: 0, unsettled: runner.unsettled(), admitted: 0 };
    },
    inHand: runner.inHand,
    stop: runner.stop,
  };
}
