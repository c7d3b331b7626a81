import type { Stats } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { EntryKind, Filter } from '../scan/filter.ts';
import type { EventListener, EventSource } from './event-source.ts';

/**
 * Hints from the system's own events, through chokidar 6 (per-folder watches on Linux, recursive ones elsewhere).
 * Both its cooked and its raw events are taken: raw ones come at once and also for names that are not UTF-8, cooked
 * ones close the gap between a new folder and its watch. It loses everything past the kernel's queue, silently:
 * see the stall detector.
 * @param root absolute path of the source's root
 */
export function createChokidarSource(root: string, filter: Filter): EventSource {
  let watcher: FSWatcher | null = null;

  function open(listener: EventListener): FSWatcher {
    // Symlinks are not followed below the root, but the root itself may be one.
    const realRoot = realRootOf(root);
    const opened = watch(realRoot, {
      ignored: (path, stats) => isIgnored(filter, relativeTo(realRoot, path), stats),
      followSymlinks: false,
      ignoreInitial: true,
      // Its own rule would drop `report~`; it would also hold a re-created file back.
      atomic: false,
      // Reported, so that the scan is asked for; a folder nobody may read is not a reason to stop.
      ignorePermissionErrors: false,
    });
    const tell = (path: string | null): void => {
      if (path !== null) listener.hint(path);
    };
    opened.on('all', (_event, path) => tell(relativeTo(realRoot, path)));
    opened.on('raw', (_event, path: unknown, details: unknown) => tell(rawPath(realRoot, path, details)));
    opened.on('ready', () => listener.ready());
    opened.on('error', (error) => listener.failed(error));
    return opened;
  }

  return {
    start(listener) {
      watcher ??= open(listener);
    },
    async close() {
      const closing = watcher;
      watcher = null;
      await closing?.close();
    },
  };
}

/** Ignored folders are not watched at all, and ignored files cost no memory. */
function isIgnored(filter: Filter, path: string | null, stats: Stats | undefined): boolean {
  if (path === null || path === '') return false;
  // Asked first without stats: what is ignored even as a folder needs none.
  return filter.entry(path, stats === undefined ? 'directory' : kindOf(stats)) !== null;
}

function kindOf(stats: Stats): EntryKind {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}

/** Its shape differs by backend and is not promised: anything unexpected means "somewhere". */
function rawPath(realRoot: string, path: unknown, details: unknown): string | null {
  const watched = (details as { watchedPath?: unknown } | null)?.watchedPath;
  if (typeof watched !== 'string') return '';
  return relativeTo(realRoot, typeof path === 'string' ? join(watched, path) : watched);
}

/** `/`-separated and relative; null outside the root (its own name in the folder above it). */
function relativeTo(realRoot: string, path: string): string | null {
  const parts = relative(realRoot, path).split(sep);
  return parts[0] === '..' ? null : parts.join('/');
}
