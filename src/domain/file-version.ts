import { createHash } from 'node:crypto';
import { bytesOf, type PathName } from './path-bytes.ts';

/** One path in one source at one (size, mtimeNs) for one destination (DESIGN §2). */
export interface FileVersion extends PathName {
  readonly source: string;
  readonly destination: string;
  /** Bytes, as lstat saw it. */
  readonly size: number;
  /** Nanoseconds since the epoch, decimal: a number would lose the last digits. */
  readonly mtimeNs: string;
}

const NUL = Buffer.from([0]);

/** `f` + first 32 hex of sha256(source, destination, path bytes, size, mtimeNs; NUL between). */
export function fileVersionId(version: FileVersion): string {
  const hash = createHash('sha256');
  hash.update(version.source).update(NUL).update(version.destination).update(NUL);
  hash.update(version.pathBytes === undefined ? version.path : bytesOf(version)).update(NUL);
  hash.update(String(version.size)).update(NUL).update(version.mtimeNs);
  return `f${hash.digest('hex').slice(0, 32)}`;
}

/** ISO time with milliseconds of a nanosecond stamp. */
export function isoOfNs(mtimeNs: string): string {
  return new Date(Number(BigInt(mtimeNs) / 1_000_000n)).toISOString();
}
