import type { BigIntStats } from 'node:fs';
import type { PathName } from '../../domain/path-bytes.ts';
import type { SeenTimes } from '../../domain/sight.ts';

/** A regular file as one lstat saw it. */
export interface SeenFile {
  readonly name: PathName;
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds, decimal, as the file version's id takes it. */
  readonly mtimeNs: string;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  /** Which file it is, whatever its name. The three are kept as the system gave them: converting costs time. */
  readonly dev: bigint;
  readonly ino: bigint;
  /** An inode number is used again at once; with this it is the same file. 0: the file system does not keep it. */
  readonly birthtimeNs: bigint;
}

/** One that is whole, and since when that is known. */
export interface SettledFile extends SeenFile {
  readonly sight: SeenTimes;
}

/** What intake keeps of an lstat. */
export function seenFileOf(name: PathName, stats: BigIntStats): SeenFile {
  return {
    name,
    size: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    mtimeMs: Number(stats.mtimeMs),
    ctimeMs: Number(stats.ctimeMs),
    dev: stats.dev,
    ino: stats.ino,
    birthtimeNs: stats.birthtimeNs,
  };
}

/** One key per exact name: two names that are not UTF-8 may look alike. */
export function keyOf(name: PathName): string {
  return name.pathBytes === undefined ? name.path : `\0${name.pathBytes}`;
}

/** The same file, written to by nobody since. */
export function isSameFile(a: SeenFile, b: SeenFile): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeNs === b.mtimeNs;
}
