import { createHash, hash } from 'node:crypto';
import { bytesOf, type PathName } from './path-bytes.ts';

/** One path in one source at one (size, mtimeNs) for one destination (contract §2). */
export interface FileVersion extends PathName {
  readonly source: string;
  readonly destination: string;
  /** Bytes, as lstat saw it. */
  readonly size: number;
  /** Nanoseconds since the epoch, decimal: a number would lose the last digits. */
  readonly mtimeNs: string;
}

/** `f` + first 32 hex of sha256(source, destination, path bytes, size, mtimeNs; NUL between). */
export function fileVersionId(version: FileVersion): string {
  const { source, destination, path, pathBytes, size, mtimeNs } = version;
  // Asked several times for every file: in one piece it costs a fifth.
  const digest =
    pathBytes === undefined
      ? hash('sha256', `${source}\0${destination}\0${path}\0${size}\0${mtimeNs}`, 'hex')
      : createHash('sha256')
          .update(`${source}\0${destination}\0`)
          .update(bytesOf(version))
          .update(`\0${size}\0${mtimeNs}`)
          .digest('hex');
  return `f${digest.slice(0, 32)}`;
}

/** The last millisecond a Date can hold, either way. */
const MAX_DATE_MS = 8_640_000_000_000_000n;

/** ISO time with milliseconds of a nanosecond stamp; one that no Date can hold is the nearest that it can. */
export function isoOfNs(mtimeNs: string): string {
  const ms = BigInt(mtimeNs) / 1_000_000n;
  const held = ms > MAX_DATE_MS ? MAX_DATE_MS : ms < -MAX_DATE_MS ? -MAX_DATE_MS : ms;
  return new Date(Number(held)).toISOString();
}
