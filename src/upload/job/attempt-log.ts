import { type AttemptEntry, MAX_ATTEMPT_ENTRIES } from '../../domain/attempt-entry.ts';
import { failedAttempts, type UploadJob } from '../../domain/upload-job.ts';

/** What a job carries about its failed tries. */
export type AttemptHistory = Pick<UploadJob, 'attemptLog' | 'dropped'>;

/**
 * Appends an entry. The log stays within MAX_ATTEMPT_ENTRIES: the oldest uncounted entry goes first (an outage must not
 * push out what a file was really refused for), then the oldest; their totals are kept.
 */
export function withEntry(history: AttemptHistory, entry: AttemptEntry): AttemptHistory {
  const attemptLog = [...history.attemptLog, entry];
  if (attemptLog.length <= MAX_ATTEMPT_ENTRIES) return { ...history, attemptLog };
  const uncounted = attemptLog.findIndex((past) => !past.counted);
  const [gone] = attemptLog.splice(uncounted >= 0 && uncounted < MAX_ATTEMPT_ENTRIES ? uncounted : 0, 1);
  if (gone === undefined) return { ...history, attemptLog };
  const { counted, attempted } = history.dropped ?? { counted: 0, attempted: 0 };
  const firstCountedAt = history.dropped?.firstCountedAt ?? (gone.counted ? gone.at : undefined);
  const dropped = {
    counted: counted + (gone.counted ? 1 : 0),
    attempted: attempted + failedAttempts({ attemptLog: [gone] }),
    ...(firstCountedAt === undefined ? {} : { firstCountedAt }),
  };
  return { attemptLog, dropped };
}

/** Entries that used up one of `retry.attempts`, dropped ones included. */
export function countedAttempts(history: AttemptHistory): number {
  const kept = history.attemptLog.filter((entry) => entry.counted).length;
  return kept + (history.dropped?.counted ?? 0);
}

/** ISO time of the first failure that used up one of `retry.attempts`; null before it. */
export function firstCountedAt({ attemptLog, dropped }: AttemptHistory): string | null {
  return dropped?.firstCountedAt ?? attemptLog.find(({ counted }) => counted)?.at ?? null;
}
