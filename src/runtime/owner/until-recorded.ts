import type { BatchSource } from '../../domain/batch-source.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { keyOf } from '../../intake/scan/seen-file.ts';
import type { OwnerReport } from '../reports/owner-report.ts';
import type { Found } from './find-files.ts';
import type { Kept } from './keep-records.ts';
import type { Owned } from './own-source.ts';
import type { OwnerEvents } from './owner-events.ts';
import type { OwnerHealth } from './owner-health.ts';

/** A file that is written all the time is not waited for longer than this many versions of it. */
const MAX_CHANGES = 5;

/**
 * Waits until everything that lies in the folder of a source is recorded, and told.
 * @returns the wait; it resolves with files that are written to all the time and are not waited for, and rejects when it
 *   cannot be, and when the signal fires
 */
export function untilRecorded(parts: {
  readonly batch: BatchSource | undefined;
  readonly owned: Owned;
  readonly kept: Kept;
  readonly found: Found;
  readonly reports: OwnerReport;
  readonly events: OwnerEvents;
  readonly health: OwnerHealth;
}): (signal: AbortSignal) => Promise<readonly PathName[]> {
  const { batch, owned, kept, found, reports, events, health } = parts;
  const { recorder, afterActions, folders, notifier } = kept;
  const { unlessLost } = health;
  /** Versions that ended without their file's being recorded for good: they come again, as new jobs. */
  let comeAgain = 0;
  /** How often a file turned out to be another version, by its path. */
  const changes = new Map<string, { readonly name: PathName; count: number }>();
  events.on('recorded', ({ receipts }) => {
    for (const { error, path, pathBytes } of receipts) {
      if (error?.code !== 'changed') continue;
      const name: PathName = pathBytes === undefined ? { path } : { path, pathBytes };
      const known = changes.get(keyOf(name)) ?? { name, count: 0 };
      known.count += 1;
      changes.set(keyOf(name), known);
      if (known.count <= MAX_CHANGES) comeAgain += 1;
    }
  });
  // Told before the set of pending jobs shrinks: whoever waits for it to be empty has to wait for these too.
  events.on('jobsLost', (jobs) => {
    comeAgain += jobs;
  });

  return async (signal) => {
    let before: number;
    let unsettled: readonly PathName[];
    do {
      before = comeAgain;
      unsettled = await unlessLost(found.intake.caughtUp());
      await unlessLost(owned.pending.waitUntilEmpty(signal));
      await unlessLost(recorder.drained());
      await unlessLost(afterActions.settled());
      await unlessLost(folders?.settled(signal) ?? Promise.resolve());
      // A file that changed while it waited, or was read, is a new version, which belongs to what lies there; what
      // Redis lost is queued again.
    } while (comeAgain !== before || (unsettled.length === 0 && reports.unfinished()));
    if (batch !== undefined) await unlessLost(found.runner.ended());
    await unlessLost(notifier?.caughtUp() ?? Promise.resolve());
    const restless = [...changes.values()].filter(({ count }) => count > MAX_CHANGES).map(({ name }) => name);
    return [...new Map([...unsettled, ...restless].map((name) => [keyOf(name), name])).values()];
  };
}
