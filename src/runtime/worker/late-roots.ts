import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { createWaker } from '../../platform/waiting/waker.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import { assertFolder } from './visible-plans.ts';

/** How soon a mount that comes late is seen. */
const LOOK_EVERY_MS = 2_000;
/** Who reads only the end of the log shall know as well. */
const REMIND_EVERY_MS = 300_000;

/**
 * Looks for the folders that a worker did not see at its start, and opens each when it is there. One look at a time: on
 * a dead network mount each may hang for minutes, and hold one of the process's few threads.
 * @param open serves the source from now on; what it throws is tried again at the next look
 * @param tell what is still not seen
 */
export function watchForRoots(options: {
  readonly unseen: readonly SourcePlan[];
  readonly open: (plan: SourcePlan) => Promise<void>;
  readonly tell: Log['warn'];
  readonly log: Log;
  /** Milliseconds, never going back. */
  readonly monotonicMs: () => number;
}): { close(): void } {
  const { open, tell, log, monotonicMs } = options;
  const waker = createWaker();
  let left = options.unseen;
  let closed = false;
  let toldAtMs = monotonicMs();

  async function isOpened(plan: SourcePlan): Promise<boolean> {
    const source = plan.name;
    if (
      !(await assertFolder(plan).then(
        () => true,
        () => false,
      ))
    )
      return false;
    try {
      if (closed) return false;
      await open(plan);
      return true;
    } catch (error) {
      log.warn({ source, reason: reasonOf(error) }, 'a folder that has appeared could not be served yet');
      return false;
    }
  }

  async function run(): Promise<void> {
    while (left.length > 0) {
      await waker.sleep(LOOK_EVERY_MS);
      const still: SourcePlan[] = [];
      for (const plan of left) {
        if (closed) return;
        if (!(await isOpened(plan))) still.push(plan);
      }
      left = still;
      if (left.length > 0 && monotonicMs() - toldAtMs >= REMIND_EVERY_MS) {
        toldAtMs = monotonicMs();
        const sources = left.map(({ name }) => name);
        tell({ sources }, `this worker still does not see the folders of: ${sources.join(', ')}`);
      }
    }
  }

  void run();
  return {
    close() {
      closed = true;
      waker.wake();
    },
  };
}
