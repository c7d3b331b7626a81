import type { PathName } from '../domain/path-bytes.ts';
import { type CanaryResult, tryEvents } from './event-canary.ts';
import { listFolder } from './list-folder.ts';
import { networkFileSystemOf } from './network-fs.ts';
import { POLL_MS } from './observation.ts';
import { chooseEventSource } from './source-choice.ts';
import { openSourceFilter, type SourceFilterOptions } from './source-filter.ts';

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

  async function count(): Promise<number> {
    let folders = 0;
    const toVisit: PathName[] = [{ path: '' }];
    for (let folder = toVisit.pop(); folder !== undefined; folder = toVisit.pop()) {
      folders += 1;
      try {
        for await (const listed of listFolder(root, folder)) {
          for (const { name, kind } of listed) {
            if (kind === 'directory' && filter.entry(name.path, kind) === null) toVisit.push(name);
          }
        }
      } catch (error) {
        if (folder.path === '') throw error;
      }
      signal.throwIfAborted();
    }
    return folders;
  }

  const folders = await count();
  const canary = await tryEvents(root, chooseEventSource(root, filter), monotonicMs);
  return { canary, network, scanEveryMs: scanOnly ? Math.min(rescan, POLL_MS) : null, folders };
}
