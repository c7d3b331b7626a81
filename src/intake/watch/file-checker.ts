import type { Arrival } from '../../domain/lane.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Filter } from '../scan/filter.ts';
import type { SeenFile } from '../scan/seen-file.ts';
import type { Settle } from '../scan/settle.ts';
import type { FileStat, FileStats } from '../scan/stat-files.ts';

/** The one way a file goes, whoever found it: filter, settle, ledger check, on offer to admission. */
export interface FileChecker {
  /** Files seen just now and accepted by the filter; those that are tracked came as they did. */
  take(files: readonly SeenFile[], arrival: Arrival): void;
  /** Files whose time has come: looks at each again. Returns where folders lie now instead. */
  lookAgain(names: readonly PathName[]): Promise<string[]>;
  /** Paths that events named. Returns the folders among them, which are for a scan. */
  lookAtHints(paths: readonly string[]): Promise<string[]>;
}

export interface FileCheckerOptions {
  readonly fileStats: FileStats;
  readonly filter: Filter;
  readonly settle: Settle;
  /** One look at an accepted file: settle, and once it is whole, admission. */
  readonly see: (file: SeenFile, arrival: Arrival) => void;
  /** Told of what cannot be looked at. */
  readonly unobservable: (name: PathName, error: unknown) => void;
}

/** Ties the stages of intake together for single files. */
export function createFileChecker(options: FileCheckerOptions): FileChecker {
  const { fileStats, filter, settle, see, unobservable } = options;

  /** Dropped silently: what is not there any more was never admitted. */
  function drop(name: PathName, look: FileStat): void {
    settle.forget(name);
    if (look.kind === 'unobservable') unobservable(name, look.error);
  }

  return {
    take(files, arrival) {
      for (const file of files) see(file, settle.arrivalOf(file.name) ?? arrival);
    },

    async lookAgain(names) {
      const seen = await fileStats.at(names);
      const folders: string[] = [];
      for (const [index, name] of names.entries()) {
        const look = seen[index];
        if (look?.kind === 'directory') folders.push(name.path);
        if (look?.kind === 'file') see(look.file, settle.arrivalOf(name) ?? 'backlog');
        else if (look !== undefined) drop(name, look);
      }
      return folders;
    },

    async lookAtHints(paths) {
      // What is ignored even as a folder is ignored as anything: no lstat for it.
      const names = paths.filter((path) => filter.path(path, 'directory') === null).map((path) => ({ path }));
      const seen = await fileStats.at(names);
      const folders: string[] = [];
      for (const [index, name] of names.entries()) {
        const look = seen[index];
        if (look?.kind === 'directory') folders.push(name.path);
        else if (look?.kind === 'file' && filter.path(name.path, 'file') === null) see(look.file, 'live');
        else if (look !== undefined) drop(name, look);
      }
      return folders;
    },
  };
}

/**
 * Which of these files are on disk exactly as they were seen.
 * @param differs told of each that is there but is another version now
 */
export async function stillAsSeen(
  fileStats: FileStats,
  files: readonly SeenFile[],
  differs: (file: SeenFile) => void,
): Promise<SeenFile[]> {
  const same: SeenFile[] = [];
  const seen = await fileStats.at(files.map(({ name }) => name));
  for (const [index, file] of files.entries()) {
    const look = seen[index];
    if (look?.kind !== 'file') continue;
    if (look.file.size === file.size && look.file.mtimeNs === file.mtimeNs) same.push(file);
    else differs(look.file);
  }
  return same;
}
