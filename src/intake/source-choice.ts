import { createChokidarSource } from './chokidar-source.ts';
import type { EventSource } from './event-source.ts';
import type { Filter } from './filter.ts';
import { createFolderWatchSource } from './folder-watch-source.ts';
import { holdsMoreThan } from './tree-size.ts';

/** Past it chokidar's memory counts: it keeps every entry of the tree (1.1 GB for a million files). */
const LARGE_TREE_FILES = 50_000;
/** So long a start may be held up by counting names. */
const COUNT_MS = 500;

/** Which event source suits a tree (DESIGN §4). */
export interface SourceChoice {
  /** The one to begin with. */
  first(): Promise<EventSource>;
  /** One that a tree of so many files needs instead of this one; null when this one will do. */
  instead(current: EventSource, files: number): EventSource | null;
}

export interface SourceChoiceOptions {
  /** Absolute path of the source's root. */
  readonly root: string;
  readonly filter: Filter;
  /** Always this one, whatever the tree. */
  readonly createSource?: (filter: Filter) => EventSource;
  /** Files above which every folder is watched by itself; 50,000 unless a test says otherwise. */
  readonly largeTreeFiles?: number;
  readonly monotonicMs: () => number;
  readonly platform?: NodeJS.Platform;
}

/** Small trees and other systems: chokidar. Large ones on Linux: a watch per folder. */
export function createSourceChoice(options: SourceChoiceOptions): SourceChoice {
  const { root, filter, createSource, largeTreeFiles = LARGE_TREE_FILES, monotonicMs } = options;
  const { platform = process.platform } = options;
  // Elsewhere a watch per folder costs an open folder each, and one recursive watch serves any tree.
  const choosable = createSource === undefined && platform === 'linux';

  return {
    async first() {
      if (createSource !== undefined) return createSource(filter);
      const large =
        choosable && (await holdsMoreThan(largeTreeFiles, { root, filter, budgetMs: COUNT_MS, monotonicMs }));
      return large ? createFolderWatchSource(root) : createChokidarSource(root, filter);
    },
    instead(current, files) {
      const outgrown = choosable && current.follower === undefined && files > largeTreeFiles;
      return outgrown ? createFolderWatchSource(root) : null;
    },
  };
}
