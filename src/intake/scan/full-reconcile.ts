import type { IgnoreReason } from '../../domain/ignore-reason.ts';
import type { LeftAlone } from '../../domain/left-out.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Filter } from './filter.ts';
import { rescan } from './rescan.ts';
import type { SeenFile } from './seen-file.ts';
import type { FileStats } from './stat-files.ts';
import { whyUnreadable } from './why-unreadable.ts';

/** What one full reconcile found. */
export interface ScanTally {
  readonly files: number;
  readonly bytes: number;
  /** Entries left alone, by reason; a folder counts once, whatever it holds. */
  readonly ignored: LeftAlone;
  /** Files and folders that could not be looked at. */
  readonly unobservable: number;
}

/** The whole folder against what is recorded, one small step at a time, so that live files pass between the steps. */
export interface FullReconcile {
  running(): boolean;
  begin(signal: AbortSignal): void;
  /** The next files; null when the scan has come to its end. */
  step(): Promise<readonly SeenFile[] | null>;
  /** Ends it early, as if it had not begun. */
  abandon(): Promise<void>;
  /** Of the last one that ended; before that of the one running. */
  tally(): ScanTally;
}

interface RunningTally {
  files: number;
  bytes: number;
  ignored: Partial<Record<IgnoreReason, number>>;
  unobservable: number;
  /** The first of them. */
  readonly problems: { readonly path: string; readonly reason: string }[];
}

/** Enough to see what is wrong. */
const MAX_NAMED = 20;

const emptyTally = (): RunningTally => ({
  files: 0,
  bytes: 0,
  ignored: {},
  unobservable: 0,
  problems: [],
});

/** None running. */
export function createFullReconcile(options: {
  readonly root: string;
  readonly fileStats: FileStats;
  readonly source: string;
  readonly filter: Filter;
  readonly log: Log;
  /** Told of every folder right before it is listed. */
  readonly entering: (folder: PathName) => void;
  readonly unobservable: () => void;
}): FullReconcile {
  const { root, fileStats, source, filter, log, entering } = options;
  let steps: AsyncGenerator<readonly SeenFile[]> | null = null;
  let current = emptyTally();
  let last: RunningTally | null = null;

  const report = {
    ignored(_name: PathName, reason: IgnoreReason): void {
      current.ignored[reason] = (current.ignored[reason] ?? 0) + 1;
    },
    unobservable(name: PathName, error: unknown): void {
      current.unobservable += 1;
      if (current.problems.length < MAX_NAMED)
        current.problems.push({ path: name.path, reason: whyUnreadable(error) });
      options.unobservable();
    },
  };

  function end(): void {
    steps = null;
    const { unobservable, problems } = current;
    // Once, and again when it gets worse: the same folder is unreadable in every scan.
    if (unobservable > (last?.unobservable ?? 0)) {
      log.warn(
        { source, count: unobservable, ...problems[0] },
        'some of the folder cannot be read; nothing is concluded about it',
      );
      for (const { path, reason } of problems)
        log.warn({ source, path, reason }, `${path === '' ? root : path}: it cannot be read (${reason})`);
    }
    last = current;
  }

  return {
    running: () => steps !== null,
    begin(signal) {
      current = emptyTally();
      const everywhere = { start: { path: '' }, entering, descend: () => true };
      steps = rescan({ root, fileStats, filter, ...everywhere, signal, report });
    },
    async step() {
      const next = await steps?.next();
      if (next === undefined || next.done === true) {
        end();
        return null;
      }
      for (const file of next.value) current.bytes += file.size;
      current.files += next.value.length;
      return next.value;
    },
    async abandon() {
      const abandoned = steps;
      steps = null;
      await abandoned?.return(undefined);
    },
    tally() {
      const { files, bytes, ignored, unobservable } = last ?? current;
      return { files, bytes, ignored, unobservable };
    },
  };
}
