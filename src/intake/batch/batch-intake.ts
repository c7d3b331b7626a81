import type { Intake } from '../watch/watcher.ts';
import type { BatchRunner } from './batch-runner.ts';

/** The intake of a source that is not watched: one batch of it, and nothing that comes later. */
export function batchIntake(batch: string, runs: BatchRunner): Intake {
  return {
    caughtUp: runs.caughtUp,
    rescan: runs.rescan,
    unsettled: runs.unsettled,
    touch() {},
    counts() {
      const { files = 0, bytes = 0, ignored = {}, unreadable = 0 } = runs.progress(batch)?.tally ?? {};
      const scan = { files, bytes, ignored, unobservable: unreadable };
      return { root: 'present', scan, reconciles: 0, unsettled: runs.unsettled(), admitted: 0 };
    },
    inHand: runs.inHand,
    stop: runs.stop,
  };
}
