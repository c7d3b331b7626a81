import type { BatchEnd } from './batch.ts';
import type { BatchSource } from './batch-source.ts';
import type { LeftAlone } from './left-out.ts';

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
  /**
   * Left alone by a rule of the source, which is no mistake of anybody; a folder counts once. `replaced`: a later entry of
   * the archive has the same name.
   */
  ignored: { -readonly [Reason in keyof LeftAlone]: LeftAlone[Reason] };
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

/** How far a batch is, as its owner knows it. */
export interface BatchProgress {
  readonly batch: string;
  readonly source: string;
  /** Whether every input has been looked through; until then the other numbers still grow. */
  readonly walked: boolean;
  readonly members: number;
  readonly done: number;
  /** Of this pass over the inputs; what was missed is that of the end, once there is one. */
  readonly tally: BatchTally;
  readonly end: BatchEnd | null;
  /** Why it cannot go on, in one line. */
  readonly failure: string | null;
}

/** Nothing is known of it yet. */
export function emptyProgress({ batch, source }: BatchSource): BatchProgress {
  const counts = { members: 0, done: 0, tally: emptyTally() };
  return { batch, source, walked: false, ...counts, end: null, failure: null };
}
