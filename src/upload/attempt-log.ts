import { type AttemptEntry, MAX_ATTEMPT_ENTRIES, type UploadJob } from '../domain/upload-job.ts';

/** What a job carries about its failed attempts. */
export type AttemptHistory = Pick<UploadJob, 'attemptLog' | 'dropped'>;

/**
 * Appends an entry. The log stays within MAX_ATTEMPT_ENTRIES: the oldest uncounted entry goes first (an outage must not
 * push out what a file was really refused for), then the oldest; their totals are kept.
 */
export function withEntry(history: AttemptHistory, entry: AttemptEntry): AttemptHistory {
  const attemptLog = [...history.attemptLog, entry];
  if (attemptLog.length <= MAX_ATTEMPT_ENTRIES) return { ...history, attemptLog };
  const firstAt = firstFailureAt(history) ?? entry.at;
  const uncounted = attemptLog.findIndex((past) => !past.counted);
  const [gone] = attemptLog.splice(uncounted >= 0 && uncounted < MAX_ATTEMPT_ENTRIES ? uncounted : 0, 1);
  const { counted, requests } = history.dropped ?? { counted: 0, requests: 0 };
  const dropped = {
    counted: counted + (gone?.counted === true ? 1 : 0),
    requests: requests + requestsOf(gone),
    firstAt,
  };
  return { attemptLog, dropped };
}

/** Entries that used up one of `retry.attempts`, dropped ones included. */
export function countedAttempts(history: AttemptHistory): number {
  const kept = history.attemptLog.filter((entry) => entry.counted).length;
  return kept + (history.dropped?.counted ?? 0);
}

/** Uploads put on the wire by all past attempts. */
export function pastRequests(history: AttemptHistory): number {
  const kept = history.attemptLog.reduce((sum, entry) => sum + requestsOf(entry), 0);
  return kept + (history.dropped?.requests ?? 0);
}

/** ISO time of the first failure; null before it. */
export function firstFailureAt(history: AttemptHistory): string | null {
  return history.dropped?.firstAt ?? history.attemptLog[0]?.at ?? null;
}

/** An entry without the number stands for one. */
function requestsOf(entry: AttemptEntry | undefined): number {
  return entry === undefined ? 0 : (entry.requests ?? 1);
}
