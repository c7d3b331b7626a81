import type { PathName } from '../domain/path-bytes.ts';
import type { Admission } from './admission.ts';
import type { Filter } from './filter.ts';
import type { Look, Looks } from './look.ts';
import type { SeenFile } from './seen-file.ts';
import type { Settle } from './settle.ts';

/** The one way a file goes, whoever found it: filter, settle, ledger check, admission. */
export interface Examiner {
  /** Files seen just now and accepted by the filter. Ends when those that are due are in the queue. */
  take(files: readonly SeenFile[], signal: AbortSignal): Promise<void>;
  /** Files whose time has come: looks at each again. */
  lookAgain(names: readonly PathName[], signal: AbortSignal): Promise<void>;
  /** Paths that events named. Returns the folders among them, which are for a scan. */
  lookAtHints(paths: readonly string[], signal: AbortSignal): Promise<string[]>;
}

export interface ExaminerOptions {
  readonly looks: Looks;
  readonly filter: Filter;
  readonly settle: Settle;
  readonly admission: Admission;
  /** One look at an accepted file: settle, and once it is whole, admission. */
  readonly see: (file: SeenFile) => void;
  /** Told of what cannot be looked at. */
  readonly unobservable: (name: PathName, error: unknown) => void;
}

/** Ties the stages of intake together for single files. */
export function createExaminer(options: ExaminerOptions): Examiner {
  const { looks, filter, settle, admission, see, unobservable } = options;

  /** Dropped silently: what is not there any more was never admitted. */
  function drop(name: PathName, look: Look): void {
    settle.forget(name);
    if (look.kind === 'unobservable') unobservable(name, look.error);
  }

  return {
    async take(files, signal) {
      files.forEach(see);
      await admission.flush(signal);
    },

    async lookAgain(names, signal) {
      const seen = await looks.at(names);
      for (const [index, name] of names.entries()) {
        const look = seen[index];
        if (look?.kind === 'file') see(look.file);
        else if (look !== undefined) drop(name, look);
      }
      await admission.flush(signal);
    },

    async lookAtHints(paths, signal) {
      // What is ignored even as a folder is ignored as anything: no lstat for it.
      const names = paths.filter((path) => filter.path(path, 'directory') === null).map((path) => ({ path }));
      const seen = await looks.at(names);
      const folders: string[] = [];
      for (const [index, name] of names.entries()) {
        const look = seen[index];
        if (look?.kind === 'directory') folders.push(name.path);
        else if (look?.kind === 'file' && filter.path(name.path, 'file') === null) see(look.file);
        else if (look !== undefined) drop(name, look);
      }
      await admission.flush(signal);
      return folders;
    },
  };
}

/**
 * Which of these files are on disk exactly as they were seen.
 * @param differs told of each that is there but is another version now
 */
export async function stillAsSeen(
  looks: Looks,
  files: readonly SeenFile[],
  differs: (file: SeenFile) => void,
): Promise<SeenFile[]> {
  const same: SeenFile[] = [];
  const seen = await looks.at(files.map(({ name }) => name));
  for (const [index, file] of files.entries()) {
    const look = seen[index];
    if (look?.kind !== 'file') continue;
    if (look.file.size === file.size && look.file.mtimeNs === file.mtimeNs) same.push(file);
    else differs(look.file);
  }
  return same;
}
