import type { BatchSource } from '../../domain/batch-source.ts';
import type { OwnerReport } from '../reports/owner-report.ts';
import type { Found } from './find-files.ts';
import type { Kept } from './keep-records.ts';
import type { Owned } from './own-source.ts';
import type { OwnerEvents } from './owner-events.ts';
import type { OwnerHealth } from './owner-health.ts';

/**
 * Waits until everything that lies in the folder of a source is recorded, and told.
 * @returns the wait; it rejects when that cannot be, and when the signal fires
 */
export function untilRecorded(parts: {
  readonly batch: BatchSource | undefined;
  readonly owned: Owned;
  readonly kept: Kept;
  readonly found: Found;
  readonly reports: OwnerReport;
  readonly events: OwnerEvents;
  readonly health: OwnerHealth;
}): (signal: AbortSignal) => Promise<void> {
  const { batch, owned, kept, found, reports, events, health } = parts;
  const { recorder, afterActions, folders, notifier } = kept;
  const { unlessLost } = health;
  /** Versions that ended without their file's being recorded for good: they come again, as new jobs. */
  let comeAgain = 0;
  events.on('recorded', ({ receipts }) => {
    comeAgain += receipts.filter(({ error }) => error?.code === 'changed').length;
  });
  // Told before the set of pending jobs shrinks: whoever waits for it to be empty has to wait for these too.
  events.on('jobsLost', (jobs) => {
    comeAgain += jobs;
  });

  return async (signal) => {
    let before: number;
    do {
      before = comeAgain;
      await unlessLost(found.intake.caughtUp());
      await unlessLost(owned.pending.waitUntilEmpty(signal));
      await unlessLost(recorder.drained());
      await unlessLost(afterActions.settled());
      await unlessLost(folders?.settled(signal) ?? Promise.resolve());
      // A file that changed while it waited, or was read, is a new version, which belongs to what lies there; what
      // Redis lost is queued again.
    } while (comeAgain !== before || reports.unfinished());
    if (batch !== undefined) await unlessLost(found.runner.ended());
    await unlessLost(notifier?.caughtUp() ?? Promise.resolve());
  };
}
