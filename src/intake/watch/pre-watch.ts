import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Filter } from '../scan/filter.ts';
import type { FileStats } from '../scan/stat-files.ts';
import { walkFolders } from '../scan/walk-folders.ts';

/**
 * Goes through the folders ahead of a first scan that waits for room in the queue: where the scans say which folders
 * are watched, a live file in one that the scan has not come to would raise no event until it has.
 */
export interface PreWatch {
  /** Whether folders may be left. */
  pending(): boolean;
  /** Some folders more. */
  step(signal: AbortSignal): Promise<void>;
  /** Another tree stands there: from the beginning. */
  anew(): Promise<void>;
}

/** Entries per step: what a live file may have to wait for. */
const STEP = 128;

/** @param isFollowed whether the scans say which folders are watched */
export function createPreWatch(options: {
  readonly root: string;
  readonly fileStats: FileStats;
  readonly filter: Filter;
  /** Told of every folder. */
  readonly entering: (folder: PathName) => void;
  readonly isFollowed: () => boolean;
}): PreWatch {
  const { root, fileStats, filter, entering, isFollowed } = options;
  let steps: AsyncGenerator<void> | null = null;
  let ended = false;

  async function* walk(signal: AbortSignal): AsyncGenerator<void> {
    let entries = 0;
    const folders = walkFolders({
      ...{ root, filter, onLoop: fileStats.onLoop },
      entering(folder) {
        entering(folder);
        entries += 1;
      },
      // The scan says what is wrong with it.
      unobservable() {},
    });
    for await (const listed of folders) {
      entries += listed;
      if (entries < STEP) continue;
      yield await nextTurn();
      if (signal.aborted) return;
      entries = 0;
    }
  }

  return {
    pending: () => !ended && isFollowed(),
    async step(signal) {
      steps ??= walk(signal);
      ended = (await steps.next()).done === true;
    },
    async anew() {
      const before = steps;
      steps = null;
      ended = false;
      await before?.return(undefined);
    },
  };
}
