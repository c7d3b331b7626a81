import type { PathName } from '../../domain/path-bytes.ts';
import type { EntryFacts, FileEntry, Refusal } from '../archives/archive-entry.ts';
import type { IgnoreReason } from '../scan/filter.ts';
import type { SettledFile } from '../scan/seen-file.ts';

/** Where the files of a batch come from. Absolute paths. */
export type BatchInput =
  /** `path` below the root; '' for all of it. */
  | { readonly kind: 'folder'; readonly path: string }
  /** `file` names one path a line, or each ended by a NUL; relative ones are relative to `base`. */
  | { readonly kind: 'list'; readonly file: string; readonly nul: boolean; readonly base: string }
  | { readonly kind: 'archive'; readonly path: string };

/** What takes the files of a batch, one step at a time: discovery goes no faster than it does. */
export interface BatchSink {
  /** Whole files on disk, seen just now. */
  files(files: readonly SettledFile[], signal: AbortSignal): Promise<void>;
  /** A file of an archive, to be read now or never. */
  entry(name: PathName, entry: FileEntry, signal: AbortSignal): Promise<void>;
  /** What is in an archive and not taken; or the archive itself. */
  refused(name: PathName, options: EntryFacts, refusal: Refusal, signal: AbortSignal): Promise<void>;
}

/** A line of a list that names no file that can be taken. */
export interface UnusableLine {
  readonly path: string;
  readonly why: 'missing' | 'outside' | 'folder';
}

/** What one pass over the inputs has found so far. */
export interface BatchTally {
  files: number;
  bytes: number;
  /** Files of archives that are not taken, and broken archives. */
  refused: number;
  /** Left alone by a rule of the source, which is no mistake of anybody; a folder counts once. */
  ignored: Partial<Record<IgnoreReason, number>>;
  /** Files and folders that could not be looked at. */
  unreadable: number;
  /** Files that were still being written when the wait for them was over. */
  unsettled: number;
  unusable: number;
  /** The first of them. */
  readonly unusableLines: UnusableLine[];
}

/** Nothing found yet. */
export function emptyTally(): BatchTally {
  return {
    ...{ files: 0, bytes: 0, refused: 0, ignored: {}, unreadable: 0 },
    ...{ unsettled: 0, unusable: 0, unusableLines: [] },
  };
}
