import { type PathName, topFolderOf } from '../../domain/path-bytes.ts';
import { keyOf } from '../scan/seen-file.ts';

/**
 * When the top folders of a source have been quiet: no new or changed file seen for `quiet`, and then confirmed by a
 * scan of everything that began after it, since events get lost. No timer of its own; pure, time is given.
 */
export interface QuietFolders {
  /** A file in it is new, changed, or not whole yet. Files directly in the root belong to no folder. */
  touch(name: PathName, nowMs: number): void;
  /** The same of a folder itself. */
  touchFolder(folder: PathName, nowMs: number): void;
  /** Puts those whose time has come among those that wait for a scan. @returns whether there are any */
  awaitScan(nowMs: number): boolean;
  scanBegan(): void;
  /** It ended, having seen everything. @returns the folders that were quiet all along; each is told once */
  scanEnded(): PathName[];
  /** Monotonic time of the earliest that may have become quiet; null when none may. */
  nextDueMs(): number | null;
}

/**
 * None known.
 * @param options.stirred told when a folder that was quiet, or unknown, is so no more
 */
export function createQuietFolders(options: {
  readonly quietMs: number;
  readonly stirred: (folder: PathName) => void;
}): QuietFolders {
  const { quietMs, stirred } = options;
  /** In the order in which they become due. */
  const active = new Map<string, { readonly folder: PathName; readonly dueMs: number }>();
  const waiting = new Map<string, PathName>();
  let covered: ReadonlySet<string> = new Set();

  function touchFolder(folder: PathName, nowMs: number): void {
    const key = keyOf(folder);
    if (!active.delete(key) && !waiting.delete(key)) stirred(folder);
    active.set(key, { folder, dueMs: nowMs + quietMs });
  }

  function next(): { readonly folder: PathName; readonly dueMs: number } | undefined {
    return active.values().next().value;
  }

  return {
    touch(name, nowMs) {
      const folder = topFolderOf(name);
      if (folder !== null) touchFolder(folder, nowMs);
    },
    touchFolder,
    awaitScan(nowMs) {
      let any = false;
      for (let first = next(); first !== undefined && first.dueMs <= nowMs; first = next()) {
        const key = keyOf(first.folder);
        active.delete(key);
        waiting.set(key, first.folder);
        any = true;
      }
      return any;
    },
    scanBegan() {
      covered = new Set(waiting.keys());
    },
    scanEnded() {
      const quiet: PathName[] = [];
      for (const key of covered) {
        const folder = waiting.get(key);
        if (folder === undefined) continue;
        waiting.delete(key);
        quiet.push(folder);
      }
      covered = new Set();
      return quiet;
    },
    nextDueMs: () => next()?.dueMs ?? null,
  };
}
