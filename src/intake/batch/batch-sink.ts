import type { BatchTally } from '../../domain/batch-progress.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { EntryFacts, FileEntry, Refusal } from '../archives/archive-entry.ts';
import type { Filter } from '../scan/filter.ts';
import type { SeenFile, SettledFile } from '../scan/seen-file.ts';
import type { Instant } from '../scan/settle.ts';
import type { SourceFilterOptions } from '../scan/source-filter.ts';
import type { FileStats } from '../scan/stat-files.ts';
import type { BatchRoot } from './batch-root.ts';
import type { LeftOutNames } from './left-out-names.ts';

/** Where an entry was found. */
export interface FoundIn {
  /** Which file the archive is, see `EntryMark`. */
  readonly archive: string;
  readonly signal: AbortSignal;
}

/** What takes the files of a batch, one step at a time: discovery goes no faster than it does. */
export interface BatchSink {
  /** Whole files on disk, seen just now. */
  files(files: readonly SettledFile[], signal: AbortSignal): Promise<void>;
  /** A file of an archive, to be read now or never. */
  entry(name: PathName, entry: FileEntry, found: FoundIn): Promise<void>;
  /** What is in an archive and not taken; or the archive itself. */
  refused(name: PathName, facts: EntryFacts, refusal: Refusal, found: FoundIn): Promise<void>;
}

export interface BatchDiscoveryOptions extends SourceFilterOptions {
  readonly source: string;
  /** Milliseconds. */
  readonly settle: number;
  /** Milliseconds: a younger file is waited for. */
  readonly minAge: number;
  /** Files being written that are waited for at the same time; 100 000 when left out. */
  readonly maxTracked?: number;
  readonly rootFolder: BatchRoot;
  readonly now: () => Instant;
  readonly log: Log;
}

/** What every kind of input works with. */
export interface DiscoveryDeps extends BatchDiscoveryOptions {
  readonly fileStats: FileStats;
  readonly filter: Filter;
  readonly sink: BatchSink;
  readonly tally: BatchTally;
  readonly leftOut: LeftOutNames;
  /** Files seen just now and accepted by the filter: whole ones go on, the others are waited for. */
  readonly see: (files: readonly SeenFile[]) => Promise<void>;
  readonly signal: AbortSignal;
}
