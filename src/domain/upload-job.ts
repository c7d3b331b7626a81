import type { UploadedResult } from './attempt.ts';
import type { AttemptEntry } from './attempt-entry.ts';
import type { FileVersion } from './file-version.ts';
import type { Arrival } from './lane.ts';
import type { PathName } from './path-bytes.ts';
import { type JobSight, jobSight, type SeenTimes } from './sight.ts';

/** What is left of attempt entries that no longer fit in the log. */
export interface DroppedAttempts {
  /** Of them, how many used up one of `retry.attempts`. */
  readonly counted: number;
  /** Of them, how many were HTTP uploads. */
  readonly attempted: number;
  /** ISO time of the first of those that used up one; absent: none did. */
  readonly firstCountedAt?: string;
}

/** What one BullMQ job carries: one (file version, generation) (contract §2). */
export interface UploadJob extends PathName, JobSight {
  readonly v: 1;
  readonly source: string;
  /** Name of the destination that it was queued for; missing in jobs of an older Slipway. */
  readonly destination?: string;
  /** Bytes. */
  readonly size: number;
  readonly mtimeNs: string;
  readonly gen: number;
  readonly batch: string | null;
  /** Its bytes lie in the spool under the job's id, not at its path: it came out of an archive. */
  readonly spooled?: true;
  /** It came live: it goes before what was found, after a failed try too. */
  readonly live?: true;
  readonly attemptLog: readonly AttemptEntry[];
  readonly dropped?: DroppedAttempts;
  /** Id at the destination of a file that has been accepted: from here on it is never sent again. */
  readonly remoteId?: string;
  /** What its receipt will say, kept until the destination has processed it; its `remote` is bounded. */
  readonly uploaded?: UploadedResult;
}

/** HTTP uploads among the failed tries of a job (G6): what its receipt counts, but for the last one. */
export function failedAttempts({ attemptLog, dropped }: Pick<UploadJob, 'attemptLog' | 'dropped'>): number {
  const kept = attemptLog.filter(({ attempted }) => attempted !== false).length;
  return kept + (dropped?.attempted ?? 0);
}

/**
 * A new job for a settled file version.
 * @param how left out: nobody watched for it, and it waits in line
 */
export function newUploadJob(
  version: FileVersion,
  gen: number,
  batch: string | null,
  how: { readonly sight?: SeenTimes; readonly arrival?: Arrival } = {},
): UploadJob {
  const { path, pathBytes, source, destination, size, mtimeNs } = version;
  const name: PathName = pathBytes === undefined ? { path } : { path, pathBytes };
  const seen = how.sight === undefined ? {} : jobSight(how.sight);
  const live = how.arrival === 'live' ? ({ live: true } as const) : {};
  return { v: 1, source, destination, ...name, size, mtimeNs, gen, batch, ...seen, ...live, attemptLog: [] };
}

/** Job id: `<file version id>-<generation>`. A taken id makes a re-add a no-op. */
export function jobIdOf(id: string, gen: number): string {
  return `${id}-${gen}`;
}

const VERSION_ID = /^f[0-9a-f]{32}$/;

/**
 * The file version that a job was made for, which is another than its source has now once that goes elsewhere.
 * @returns null: nobody of ours made this job
 */
export function versionIdOf(jobId: string, gen: number): string | null {
  const id = jobId.slice(0, jobId.lastIndexOf('-'));
  return VERSION_ID.test(id) && jobIdOf(id, gen) === jobId ? id : null;
}
