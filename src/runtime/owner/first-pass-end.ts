import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { Intake } from '../../intake/watch/watcher.ts';
import type { FirstPass } from '../../ledger/tables/first-pass.ts';
import { sleep } from '../../platform/waiting/abort.ts';

/** A folder that is not there yet is asked for again. */
const RETRY_MS = 1_000;

/**
 * Writes down that the first pass over a source is complete, once it is. A kill before that leaves it open, and the
 * next start goes on with it. Rejects never.
 */
export async function endFirstPass(
  intake: Pick<Intake, 'caughtUp'>,
  firstPass: FirstPass,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  while (firstPass.startedMs() !== null && !signal.aborted) {
    try {
      await intake.caughtUp();
      firstPass.complete();
      log.debug({}, 'what lay in the folder before the first start is recorded as skipped');
    } catch (error) {
      if (signal.aborted) return;
      log.debug({ reason: reasonOf(error) }, 'the first pass is not complete yet');
      await sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }
}
