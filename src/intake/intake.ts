import type { DestinationLimits } from '../destinations/destination.ts';
import type { PathName } from '../domain/path-bytes.ts';
import type { OpenVersion } from './admit/in-flight.ts';
import type { IntakeOptions } from './options.ts';
import type { Filter } from './scan/filter.ts';
import type { ScanTally } from './scan/full-reconcile.ts';
import type { EventSource } from './watch/event-source.ts';
import type { RootState } from './watch/root-guard.ts';

export interface WatcherOptions
  extends Readonly<Omit<IntakeOptions, 'path' | 'include' | 'ignore' | 'meta' | 'batch' | 'dedupe'>> {
  readonly batch?: IntakeOptions['batch'] | undefined;
  readonly meta?: IntakeOptions['meta'] | undefined;
  /** Slipway writes `<file>.receipt.json` beside the files; left out: no. */
  readonly sidecar?: boolean | undefined;
  readonly include: readonly string[];
  readonly ignore: readonly string[];
  /** Name of the source. */
  readonly source: string;
  /** Name of its destination; part of every file version's id. */
  readonly destination: string;
  /** Absolute path of its folder. */
  readonly root: string;
  /** Absolute paths of Slipway's own files and folders (G9). */
  readonly ownPaths: readonly string[];
  /** `queue.maxPending`. */
  readonly maxPending: number;
  /** What the destination takes; null: not known here. */
  readonly limits: DestinationLimits | null;
  /** Where hints come from when the root is not polled; chosen by the system unless a test says otherwise. */
  readonly createSource?: (filter: Filter) => EventSource;
}

export interface IntakeCounts {
  readonly root: RootState;
  /** Of the last full reconcile. */
  readonly scan: ScanTally;
  /** Full reconciles that have ended. */
  readonly reconciles: number;
  /** Files seen that are not whole yet. */
  readonly unsettled: number;
  /** Jobs queued since the start. */
  readonly admitted: number;
}

/** The running intake of one source. */
export interface Intake {
  /**
   * Resolves once a full reconcile that began after this call has ended and everything it found is recorded or in the
   * queue; with those files that are still being written although none has become whole for 30 seconds, or ten times
   * `settle`. Rejects with SlipwayError `source_missing` or `source_unmounted` while the folder is not there, and with an AbortError at stop.
   */
  caughtUp(): Promise<readonly PathName[]>;
  /**
   * Compares the whole folder with what is recorded, now.
   * @param first path of a file, relative to the root, that somebody waits for: it is looked at before all else
   */
  rescan(first?: string): void;
  unsettled(): number;
  /** Settled files that are neither in the queue nor recorded yet. */
  inHand(): Iterable<OpenVersion>;
  /** Where top folders are batches: begins the quiet period of one anew. */
  touch(folder: PathName): void;
  counts(): IntakeCounts;
  /** Ends when nothing runs any more; what was not admitted stays on disk for the next start. */
  stop(): Promise<void>;
}
