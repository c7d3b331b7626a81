import type { Log } from '../../domain/log.ts';
import type { Filter } from '../scan/filter.ts';
import type { SeenFile } from '../scan/seen-file.ts';
import type { Instant } from '../scan/settle.ts';
import type { SourceFilterOptions } from '../scan/source-filter.ts';
import type { FileStats } from '../scan/stat-files.ts';
import type { BatchRoot } from './batch-root.ts';
import type { BatchSink, BatchTally } from './batch-sink.ts';

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
  /** Files seen just now and accepted by the filter: whole ones go on, the others are waited for. */
  readonly see: (files: readonly SeenFile[]) => Promise<void>;
  readonly signal: AbortSignal;
}
