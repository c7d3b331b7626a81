import type { ErrorCode, ErrorDetails } from '../../domain/errors.ts';
import type { PathName } from '../../domain/path-bytes.ts';

/** Why an entry is not taken. */
export interface Refusal {
  readonly code: Extract<ErrorCode, `archive_${string}`>;
  readonly details: ErrorDetails;
}

/** What an archive says of one of its files. */
export interface EntryFacts {
  /** Within the archive; made safe unless it is refused for its name. */
  readonly name: PathName;
  /** Bytes, unpacked, as the archive says. */
  readonly size: number;
  /** Whole seconds, in nanoseconds: what every file system can give back. */
  readonly mtimeNs: string;
}

export interface FileEntry extends EntryFacts {
  readonly kind: 'file';
  /** Of the unpacked bytes; null where the format has none. */
  readonly crc32: number | null;
  /** Its unpacked bytes, while it is the entry in turn. May give more or fewer than `size`, and may fail. */
  open(): Promise<AsyncIterable<Buffer>>;
}

export interface RefusedEntry extends EntryFacts {
  readonly kind: 'refused';
  readonly refusal: Refusal;
}

/** Of no interest to anybody: unpackers end without it as well. */
export interface LeftOutEntry {
  readonly kind: 'left_out';
  readonly name: PathName;
  /** A later entry has the same name. */
  readonly reason: 'replaced';
}

/** In the order of the archive; folders are left out. */
export type ArchiveEntry = FileEntry | RefusedEntry | LeftOutEntry;

/** Past 2^33 s, or before 1970, a time is nobody's: file systems differ in what they make of it. */
const LAST_SECOND = 2 ** 33;

/** Whole seconds as nanoseconds; 0 for a time that is none. */
export function entryTimeNs(date: Date | undefined): string {
  const seconds = Math.floor((date?.getTime() ?? 0) / 1000);
  return seconds > 0 && seconds < LAST_SECOND ? `${seconds}000000000` : '0';
}
