import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IgnoreReason } from '../../domain/ignore-reason.ts';
import { type PathName, pathOnDisk } from '../../domain/path-bytes.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { Filter } from './filter.ts';
import { listFolder } from './list-folder.ts';
import { isDataFolder } from './own-files.ts';
import type { SeenFile } from './seen-file.ts';
import { type FileStats, isGone } from './stat-files.ts';

export interface RescanOptions {
  /** Absolute path of the source's root. */
  readonly root: string;
  readonly fileStats: FileStats;
  readonly filter: Filter;
  /** Where to begin; `{ path: '' }` is the root. */
  readonly start: PathName;
  /** Told of every folder right before it is listed. */
  readonly entering: (folder: PathName) => void;
  /** Whether to go into this folder as well. */
  readonly descend: (folder: PathName) => boolean;
  /** The scan ends early, without an error, once this fires. */
  readonly signal: AbortSignal;
  readonly report: RescanReport;
}

export interface RescanReport {
  ignored(name: PathName, reason: IgnoreReason): void;
  /** A folder or file that cannot be looked at (EACCES, EMFILE, EIO …): nothing is known of what is in it. */
  unobservable(name: PathName, error: unknown): void;
}

/** Entries per step: a step is what a live file may have to wait for. */
const STEP_ENTRIES = 128;

/**
 * Walks a tree, folder by folder in the order the file system gives, and yields its accepted regular files in small
 * steps, those of several small folders in one. Holds the names of folders still to visit, never a tree. What vanishes
 * on the way is passed over. A step may be empty; it is then only a chance to do something else.
 */
export async function* rescan(options: RescanOptions): AsyncGenerator<readonly SeenFile[]> {
  const { root, fileStats, filter, descend, entering, report, signal } = options;
  const toVisit: PathName[] = [options.start];
  let names: PathName[] = [];
  let entries = 0;
  async function* step(): AsyncGenerator<readonly SeenFile[]> {
    yield await filesOf(fileStats, names, report);
    names = [];
    entries = 0;
  }
  for (let folder = toVisit.pop(); folder !== undefined; folder = toVisit.pop()) {
    const found: PathName[] = [];
    if (await isDataFolder(pathOf(root, folder))) {
      report.ignored(folder, 'own');
      continue;
    }
    entering(folder);
    entries += 1;
    try {
      for await (const listed of listFolder(root, folder, fileStats.onLoop)) {
        for (const { name, kind } of listed) {
          const reason = filter.entry(name.path, kind);
          if (reason !== null) report.ignored(name, reason);
          else if (kind !== 'directory') names.push(name);
          else if (descend(name)) found.push(name);
          entries += 1;
          if (entries < STEP_ENTRIES) continue;
          yield* step();
          if (signal.aborted) return;
        }
      }
    } catch (error) {
      if (!isGone(error)) report.unobservable(folder, error);
    }
    // Folders with nothing in them are work too.
    if (entries >= STEP_ENTRIES) yield* step();
    if (signal.aborted) return;
    // Last in, first out: reversed, so that folders come in the order in which they were listed.
    toVisit.push(...found.reverse());
  }
  yield* step();
}

async function filesOf(
  fileStats: FileStats,
  names: readonly PathName[],
  report: RescanReport,
): Promise<SeenFile[]> {
  const files: SeenFile[] = [];
  // A tree of folders and ignored files alone must not keep the event loop either.
  if (names.length === 0) await nextTurn();
  for (const [index, look] of (await fileStats.at(names)).entries()) {
    if (look.kind === 'file') files.push(look.file);
    const name = names[index];
    if (look.kind === 'unobservable' && name !== undefined) report.unobservable(name, look.error);
  }
  return files;
}

function pathOf(root: string, folder: PathName): string | Buffer {
  const real = realRootOf(root);
  return folder.path === '' ? real : pathOnDisk(real, folder);
}
