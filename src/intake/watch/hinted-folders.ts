import type { PathName } from '../../domain/path-bytes.ts';
import type { Filter } from '../scan/filter.ts';
import { rescan } from '../scan/rescan.ts';
import type { SeenFile } from '../scan/seen-file.ts';
import type { FileStats } from '../scan/stat-files.ts';

/** In place of every byte that is not UTF-8. A name may also hold it rightfully. */
export const GARBLED = '\uFFFD';

/** Whole: a folder that appeared, with all it holds. `lossy`: only names that are not UTF-8, which events garble. */
export type HintedExtent = 'whole' | 'lossy';

/** Folders that events named, scanned one after the other before anything else. */
export interface HintedFolders {
  /** @param path relative to the root; '' is the root. One that the filter does not accept is passed over */
  mark(path: string, extent: HintedExtent): void;
  pending(): boolean;
  /** The next files; may be none. */
  step(signal: AbortSignal): Promise<readonly SeenFile[]>;
  /** Forgets them all: a full reconcile is to come. */
  abandon(): Promise<void>;
}

/** Files, and folders, per step: what a live file may have to wait for. */
const STEP = 128;

/** None marked. */
export function createHintedFolders(options: {
  readonly root: string;
  readonly fileStats: FileStats;
  readonly filter: Filter;
  /** Told of every folder right before it is listed. */
  readonly entering: (folder: PathName) => void;
  readonly unobservable: (name: PathName, error: unknown) => void;
}): HintedFolders {
  const { root, fileStats, filter, entering, unobservable } = options;
  const report = { ignored() {}, unobservable };
  // Marked again while its scan runs: scanned again, since the scan may have passed the spot.
  const marked = new Map<string, HintedExtent>();
  let running: { steps: AsyncGenerator<readonly SeenFile[]>; extent: HintedExtent } | null = null;

  function begin(signal: AbortSignal): typeof running {
    const first = marked.entries().next().value;
    if (first === undefined) return null;
    const [path, extent] = first;
    marked.delete(path);
    const descend = (folder: PathName): boolean => extent === 'whole' || folder.path.includes(GARBLED);
    return {
      steps: rescan({ root, fileStats, filter, start: { path }, entering, descend, signal, report }),
      extent,
    };
  }

  return {
    mark(path, extent) {
      if (path !== '' && filter.path(path, 'directory') !== null) return;
      if (marked.get(path) !== 'whole') marked.set(path, extent);
    },
    pending: () => running !== null || marked.size > 0,
    async step(signal) {
      const files: SeenFile[] = [];
      // Many new folders hold a file or two each: one at a time, each would cost a call to the queue.
      for (let turn = 0; turn < STEP && files.length < STEP; turn += 1) {
        running ??= begin(signal);
        if (running === null) break;
        const { steps, extent } = running;
        const next = await steps.next();
        if (next.done === true) running = null;
        else if (extent === 'whole') files.push(...next.value);
        else files.push(...next.value.filter(({ name }) => name.path.includes(GARBLED)));
      }
      return files;
    },
    async abandon() {
      marked.clear();
      const abandoned = running;
      running = null;
      await abandoned?.steps.return(undefined);
    },
  };
}
