import { type BigIntStats, lstat, lstatSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type PathName, pathOnDisk } from '../../domain/path-bytes.ts';
import { below, inFolder, inFolderSync, type Path, splitPath } from '../../platform/files/exact-folder.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { EntryKind } from './filter.ts';
import { type SeenFile, seenFileOf } from './seen-file.ts';

/** What one lstat found. `unobservable` is never taken for gone; what is reached over a link is gone. */
export type FileStat =
  | { readonly kind: 'file'; readonly file: SeenFile }
  | { readonly kind: Exclude<EntryKind, 'file'> }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unobservable'; readonly error: unknown };

/** The thread pool is shared with the uploads' reads: 16 looks in flight, more would keep those waiting on a slow disk. */
const FOLDERS_IN_FLIGHT = 4;
const IN_FLIGHT_PER_FOLDER = 4;

/** Looks at files below one root. */
export interface FileStats {
  /** Looks at many names, answers in their order; throws nothing. */
  at(names: readonly PathName[]): Promise<FileStat[]>;
  /** Whether the disk is fast enough now to be asked on the event loop. */
  onLoop(): boolean;
}

/** Names looked at on the event loop before it turns. */
const RUN = 64;
/** So long a run went to a disk, not to its cache: on the event loop that would hold up every upload. */
const SLOW_RUN_MS = 20;
const PAUSE_MS = 2_000;

/**
 * On a local disk a look costs 4 µs on the event loop and 40 µs of processor time through the thread pool; on one that
 * is slow, or over a network, it would hold up everything else, so there the pool does it.
 * @param isLocal asked before every run of looks
 */
export function createFileStats(root: string, isLocal: () => boolean, monotonicMs: () => number): FileStats {
  let pausedUntilMs = Number.NEGATIVE_INFINITY;

  const onLoop = (): boolean => isLocal() && monotonicMs() >= pausedUntilMs;

  function lookOnLoop(names: readonly PathName[]): FileStat[] {
    const beganMs = monotonicMs();
    const fileStats = byFolder(root, names).flatMap(lookNow);
    if (monotonicMs() - beganMs > SLOW_RUN_MS) pausedUntilMs = monotonicMs() + PAUSE_MS;
    return fileStats;
  }

  return {
    onLoop,
    async at(names) {
      const fileStats: FileStat[] = [];
      for (let start = 0; start < names.length; start += RUN) {
        const some = names.slice(start, start + RUN);
        const now = onLoop();
        fileStats.push(...(now ? lookOnLoop(some) : await lookThroughPool(root, some)));
        if (now) await nextTurn();
      }
      return fileStats;
    },
  };
}

/** Names that follow one another and lie in one folder. */
interface FolderNames {
  /** null: the root itself is asked for. */
  readonly folder: Path | null;
  readonly root: string;
  readonly names: readonly PathName[];
  /** What each is called there. */
  readonly entries: readonly Path[];
}

function byFolder(root: string, names: readonly PathName[], most = names.length): FolderNames[] {
  const real = realRootOf(root);
  const groups: { folder: Path | null; root: string; names: PathName[]; entries: Path[] }[] = [];
  for (const name of names) {
    const { parent, name: entry } = splitPath(pathOnDisk(real, name));
    const folder = name.path === '' ? null : parent;
    const last = groups.at(-1);
    if (last !== undefined && isSameFolder(last.folder, folder) && last.names.length < most) {
      last.names.push(name);
      last.entries.push(entry);
    } else groups.push({ folder, root: real, names: [name], entries: [entry] });
  }
  return groups;
}

function isSameFolder(a: Path | null, b: Path | null): boolean {
  return a === b || (Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b));
}

function lookNow({ folder, root, names, entries }: FolderNames): FileStat[] {
  try {
    if (folder === null) {
      const stats = inFolderSync(root, (at) => statSync(at, { bigint: true }));
      return names.map((name) => lookOf(name, stats));
    }
    return inFolderSync(folder, (at) =>
      names.map((name, index) => lookAtNow(name, below(at, entries[index] ?? ''))),
    );
  } catch (error) {
    return names.map(() => failed(error));
  }
}

function lookAtNow(name: PathName, path: Path): FileStat {
  try {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? { kind: 'gone' } : lookOf(name, stats);
  } catch (error) {
    return failed(error);
  }
}

async function lookThroughPool(root: string, names: readonly PathName[]): Promise<FileStat[]> {
  const groups = byFolder(root, names, RUN / FOLDERS_IN_FLIGHT);
  const fileStats = new Array<readonly FileStat[]>(groups.length);
  const left = groups.entries();
  async function goOn(): Promise<void> {
    for (const [index, group] of left) fileStats[index] = await lookInFolder(group);
  }
  await Promise.all(Array.from({ length: FOLDERS_IN_FLIGHT }, goOn));
  return fileStats.flat();
}

async function lookInFolder({ folder, root, names, entries }: FolderNames): Promise<FileStat[]> {
  try {
    if (folder === null) {
      const stats = await inFolder(root, (at) => stat(at, { bigint: true }));
      return names.map((name) => lookOf(name, stats));
    }
    return await inFolder(folder, (at) =>
      lookAtAll(
        names,
        entries.map((entry) => below(at, entry)),
      ),
    );
  } catch (error) {
    return names.map(() => failed(error));
  }
}

async function lookAtAll(names: readonly PathName[], paths: readonly Path[]): Promise<FileStat[]> {
  const fileStats = new Array<FileStat>(names.length);
  let next = 0;
  await new Promise<void>((resolve) => {
    let running = 0;
    const proceed = (): void => {
      if (next === names.length && running === 0) resolve();
      while (running < IN_FLIGHT_PER_FOLDER && next < names.length) {
        const index = next++;
        const [name, path] = [names[index], paths[index]];
        if (name === undefined || path === undefined) continue;
        running += 1;
        lookAtOne(name, path, (look) => {
          fileStats[index] = look;
          running -= 1;
          proceed();
        });
      }
    };
    proceed();
  });
  return fileStats;
}

/** The callback form costs 40 % less than the promise form, and this runs once per file and scan. */
function lookAtOne(name: PathName, path: Path, done: (look: FileStat) => void): void {
  lstat(path, { bigint: true }, (error, stats) => done(error === null ? lookOf(name, stats) : failed(error)));
}

function failed(error: unknown): FileStat {
  return isGone(error) ? { kind: 'gone' } : { kind: 'unobservable', error };
}

function lookOf(name: PathName, stats: BigIntStats): FileStat {
  if (stats.isFile()) return { kind: 'file', file: seenFileOf(name, stats) };
  if (stats.isDirectory()) return { kind: 'directory' };
  return { kind: stats.isSymbolicLink() ? 'symlink' : 'other' };
}

/** ENOTDIR: a folder on the way became a file, or a link. */
export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
