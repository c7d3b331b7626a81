import type { BigIntStats } from 'node:fs';
import type { PathName } from '../domain/path-bytes.ts';

/** A regular file as one lstat saw it. */
export interface SeenFile {
  readonly name: PathName;
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds, decimal, as the file version's id takes it. */
  readonly mtimeNs: string;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

/** What intake keeps of an lstat. */
export function seenFileOf(name: PathName, stats: BigIntStats): SeenFile {
  return {
    name,
    size: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    mtimeMs: Number(stats.mtimeMs),
    ctimeMs: Number(stats.ctimeMs),
  };
}

/** One key per exact name: two names that are not UTF-8 may look alike. */
export function keyOf(name: PathName): string {
  return name.pathBytes === undefined ? name.path : `\0${name.pathBytes}`;
}
