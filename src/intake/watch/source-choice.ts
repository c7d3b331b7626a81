import type { Filter } from '../scan/filter.ts';
import { createChokidarSource } from './chokidar-source.ts';
import type { EventSource } from './event-source.ts';
import { createFolderWatchSource } from './folder-watch-source.ts';

/**
 * The event source that suits a system. On Linux a watch per folder costs nothing per file, neither memory nor an lstat
 * per event; elsewhere it would cost an open folder each, and one recursive watch serves any tree
 * (docs/decisions/0006-a-watch-per-folder.md).
 * @param root absolute path of the source's root
 */
export function chooseEventSource(root: string, filter: Filter, platform = process.platform): EventSource {
  return platform === 'linux' ? createFolderWatchSource(root) : createChokidarSource(root, filter);
}
