import type { DiskMark } from '../domain/disk-mark.ts';
import type { EntryMarks } from '../domain/entry-mark.ts';
import type { FileMeta } from '../domain/file-meta.ts';
import type { Arrival, Lane } from '../domain/lane.ts';
import type { Log } from '../domain/log.ts';
import type { PathName } from '../domain/path-bytes.ts';
import type { Outcome, ReceiptStatus } from '../domain/receipt.ts';
import type { UploadJob } from '../domain/upload-job.ts';
import type { ContentCheck } from './admit/content-check.ts';
import type { EarlierUploads } from './admit/earlier-uploads.ts';
import type { Instant } from './scan/settle.ts';
import type { RootMemory } from './watch/root-guard.ts';

/** The latest generation recorded for a file version. */
export interface RecordedVersion {
  readonly gen: number;
  readonly status: ReceiptStatus;
  /** The receipt's error code; null when uploaded. */
  readonly code: string | null;
  /** It is to go once more: somebody asked for it, or the file was moved or deleted after its upload and is back. */
  readonly again: boolean;
  /** Which file on disk was uploaded; left out: nobody knows. */
  readonly disk?: DiskMark | undefined;
  /** How many times in a row it was recorded as changed; absent: never. */
  readonly changedInRow?: number;
}

export interface AdmittedJob {
  readonly jobId: string;
  /** The file version's id. */
  readonly id: string;
  readonly job: UploadJob;
  /** What the user attached to the file; it never goes into the job (no metadata in Redis). */
  readonly meta?: FileMeta | null | undefined;
}

/** Places in the queue that are kept for jobs to come. */
export interface Reservation {
  /** At least one, at most as many as were asked for. */
  readonly count: number;
  readonly place: Lane;
  /** Call it once, when the jobs are in the queue or do not come. */
  free(): void;
}

/** What admission needs of the queue and of the ledger; the runtime wires it. */
export interface AdmissionPorts {
  /** Asked for every settled file of every scan: must cost microseconds and no Redis call. */
  recorded(id: string): RecordedVersion | null;
  /** Whether this job is in Redis, in whatever state. No Redis call. Must hold until the job is recorded. */
  isPending(jobId: string): boolean;
  /**
   * What is attached to these files, in their order, read before the mutex is taken: it may be on a slow disk. Left
   * out: nothing is attached to any file.
   */
  attached?: ((names: readonly PathName[]) => Promise<readonly (FileMeta | null)[]>) | undefined;
  /** Adds jobs; a taken id is a no-op. May throw: the same jobs are then offered again after a delay. */
  enqueue(jobs: readonly AdmittedJob[], place: Lane): Promise<void>;
  /**
   * Resolves once there is room under `queue.maxPending`, and keeps it. For found files that is as much as is asked
   * for; live ones may get a part of it, sooner. Rejects when the signal fires.
   */
  waitForRoom(count: number, arrival: Arrival, signal: AbortSignal): Promise<Reservation>;
  /** Makes receipts without a job; resolves when they are durable, rejects when they cannot be kept any more. */
  settle(outcomes: readonly Outcome[]): Promise<void>;
  readonly uploads: EarlierUploads;
  /** By what entries of archives are known again; left out: by name, size and time alone. */
  readonly entryMarks?: EntryMarks | undefined;
  /** One durable transaction: these uploads, recorded with this generation, are of these files on disk. */
  markDisk(marks: readonly { readonly id: string; readonly gen: number; readonly disk: DiskMark }[]): void;
  /** One durable transaction: these versions, recorded with this generation, go once more. */
  sendAgain(versions: readonly { readonly id: string; readonly gen: number }[]): void;
  /** Left out: contents are not compared. */
  readonly contents?: ContentCheck | undefined;
  /** The mutex of the source: {ledger check, enqueue} here and {remove} in the recorder exclude each other. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
}

/** What becomes of top folders, where they are batches. */
export interface FolderPorts {
  /** Something is new or changes in a folder that was quiet, or not known. */
  stirred(folder: PathName): void;
  /**
   * Nothing has come or changed in it for `quiet`; all that lies in it was seen, and is recorded or in the queue.
   * Called outside the mutex.
   */
  quiet(folder: PathName): void;
}

export interface IntakePorts extends AdmissionPorts {
  readonly folders?: FolderPorts | undefined;
  /** Which folder held the files before this process began; without it that is not known. */
  readonly rootMemory?: RootMemory;
  /**
   * When the source was started for the very first time (since the epoch), until all that lay there then is recorded or
   * queued; null afterwards, and where that makes no difference.
   */
  readonly firstStartMs: () => number | null;
  readonly log: Log;
  /** Wall and monotonic time of this moment. */
  readonly now: () => Instant;
}
