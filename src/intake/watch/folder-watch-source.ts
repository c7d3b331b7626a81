import { type FSWatcher, statSync, watch } from 'node:fs';
import { type PathName, pathOnDisk } from '../../domain/path-bytes.ts';
import { inFolderSync } from '../../platform/files/exact-folder.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { EventListener, EventSource, FolderFollower } from './event-source.ts';
import { createWatchedFolders, pathOfWatched, type WatchedFolder } from './watched-folders.ts';

interface FolderWatch {
  readonly watcher: FSWatcher;
  /** Which folder it watches: a name may come to stand for another one without an event's being told. */
  readonly ino: number;
  readonly birthtimeMs: number;
  /** Something became of the folder itself: the kernel may have ended this watch (as when a disk is unmounted). */
  doubtful: boolean;
}

/** What the system calls a folder that is watched by this name, in events about itself: nothing in it is called so. */
const ITSELF = '.';

/** What a process or a user may run out of; anything else concerns one folder, and the scan that lists it says so. */
const EXHAUSTED = new Set(['ENOSPC', 'EMFILE', 'ENFILE', 'ENOMEM']);

// Over 80 lines: the watches and the scan that keeps them are one book; half of it is the one look at a folder that must not be interrupted.
/**
 * Hints from the system's own events, one watch per folder and none per file: for Linux and trees of any size (about
 * 1.5 KB per folder, measured). It looks for no folders itself. Every scan names each folder before it lists it, so
 * that what arrives meanwhile is in the list or raises an event; an event that names a new folder leads to a scan of
 * that folder. Like every inotify user it loses what exceeds the kernel's queue, silently: see the stall detector.
 * @param root absolute path of the source's root
 */
export function createFolderWatchSource(root: string): EventSource & { readonly follower: FolderFollower } {
  let listener: EventListener | null = null;
  const folders = createWatchedFolders<FolderWatch>();
  let scan = 1;
  /** Folders of this scan that no watch was left for, and whether there are folders without one. */
  let refused = 0;
  let incomplete = false;

  function tell(folder: WatchedFolder<FolderWatch>, name: string | null): void {
    const path = pathOfWatched(folder);
    if (name === null) listener?.hint(path);
    else listener?.hint(path === '' ? name : `${path}/${name}`);
  }

  /** A folder that a mount took away and brought back is the same one; its watch is not. The look at it watches it anew. */
  function doubt(folder: WatchedFolder<FolderWatch>): void {
    if (folder.watch !== null) folder.watch.doubtful = true;
    tell(folder, null);
  }

  function follow(name: PathName): void {
    if (listener === null) return;
    const real = realRootOf(root);
    let folder: WatchedFolder<FolderWatch> | null = null;
    try {
      inFolderSync(name.path === '' ? real : pathOnDisk(real, name), (at) => {
        const { ino, birthtimeMs } = statSync(at);
        folder = folders.at(name);
        folder.scan = scan;
        const before = folder.watch;
        const isSame = before !== null && before.ino === ino && before.birthtimeMs === birthtimeMs;
        if (isSame && !before.doubtful) return;
        if (isSame) before.watcher.close();
        else if (before !== null) {
          close(folders.remove(folder));
          folder = folders.at(name);
          folder.scan = scan;
        }
        const watched = folder;
        const watcher = watch(`${at}/${ITSELF}`, { persistent: false }, (event, entry) => {
          if (entry !== ITSELF) tell(watched, entry);
          // Not of its own times: they change with everything in it.
          else if (event === 'rename') doubt(watched);
        });
        watcher.on('error', (error) => listener?.failed(error));
        folder.watch = { watcher, ino, birthtimeMs, doubtful: false };
      });
    } catch (error) {
      if (!EXHAUSTED.has((error as NodeJS.ErrnoException).code ?? '')) return;
      refused += 1;
      incomplete = true;
      listener.failed(error);
    }
  }

  const follower: FolderFollower = {
    folder: follow,
    gone(path) {
      const folder = folders.find(path);
      if (folder !== null && path !== '') close(folders.remove(folder));
    },
    scanBegan() {
      scan += 1;
      refused = 0;
    },
    scanEnded() {
      close(folders.sweep(scan));
      // There are watches for all again, and nothing was missed: each was there before its folder was listed.
      if (!incomplete || refused > 0) return;
      incomplete = false;
      listener?.ready();
    },
  };

  return {
    follower,
    start(told) {
      if (listener !== null) return;
      listener = told;
      // The first scan brings the watches along; there is nothing to wait for.
      told.ready();
    },
    async close() {
      listener = null;
      close(folders.remove(folders.at({ path: '' })));
    },
  };
}

function close(watches: readonly FolderWatch[]): void {
  for (const { watcher } of watches) watcher.close();
}
