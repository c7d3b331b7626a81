import { openSourceFilter, type SourceFilterOptions } from '../scan/source-filter.ts';
import { walkFolders } from '../scan/walk-folders.ts';
import { type CanaryResult, tryEvents } from './event-canary.ts';
import { POLL_MS } from './event-feed.ts';
import { networkFileSystemOf } from './network-fs.ts';
import { chooseEventSource } from './source-choice.ts';

/** How one folder would be watched, found by trying. */
export interface FolderTrial {
  readonly canary: CanaryResult;
  /** Name of the network file system it lies on; null for a local one. */
  readonly network: string | null;
  /** Milliseconds from scan to scan where it is scanned instead of watched; null: events are waited for. */
  readonly scanEveryMs: number | null;
  /** Folders in it that would be watched, itself included. */
  readonly folders: number;
}

export interface FolderTrialOptions extends SourceFilterOptions {
  readonly polling: 'auto' | boolean;
  /** Milliseconds. */
  readonly rescan: number;
}

/** Counts the folders of a tree and waits for one event, through the source that would be used. Throws what listing the root throws. */
export async function tryFolder(
  options: FolderTrialOptions,
  monotonicMs: () => number,
  signal: AbortSignal,
): Promise<FolderTrial> {
  const { root, polling, rescan } = options;
  const filter = await openSourceFilter(options);
  const network = await networkFileSystemOf(root);
  const scanOnly = polling === 'auto' ? network !== null : polling;

  let folders = 0;
  const parts = walkFolders({
    ...{ root, filter },
    entering() {
      folders += 1;
    },
    unobservable(folder, error) {
      if (folder.path === '') throw error;
    },
  });
  for await (const _entries of parts) signal.throwIfAborted();
  const canary = await tryEvents(root, chooseEventSource(root, filter), monotonicMs);
  return { canary, network, scanEveryMs: scanOnly ? Math.min(rescan, POLL_MS) : null, folders };
}
