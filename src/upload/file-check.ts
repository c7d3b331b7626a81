import { type BigIntStats, constants } from 'node:fs';
import { stat } from 'node:fs/promises';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import { type PathName, pathOnDisk } from '../domain/path-bytes.ts';

/** The file version that is to be sent. */
export interface FileToSend {
  /** Absolute path of the source's root. */
  readonly root: string;
  readonly name: PathName;
  /** Bytes. */
  readonly size: number;
  readonly mtimeNs: string;
  /** Where its bytes lie when that is not `name` below `root`: below `root` all the same. */
  readonly at?: PathName;
}

/**
 * Never follow a link that was put in the file's place, never hang on a pipe that was. Windows has neither flag.
 */
export const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export function diskPathOf(file: FileToSend): string | Buffer {
  return pathOnDisk(file.root, file.at ?? file.name);
}

/**
 * Is this still the version that was queued (G2)? Asked before the first byte is read (`fstat`) and after the last
 * (`lstat` of the path), before the body's end is sent: a body that never ends is never stored.
 * @param openedIno inode that was opened; null at the first check
 * @throws SlipwayError `file_changed`
 */
export function assertSameVersion(stats: BigIntStats, file: FileToSend, openedIno: bigint | null): void {
  if (!stats.isFile()) throw changed('it is no regular file any more');
  if (openedIno !== null && stats.ino !== openedIno) throw changed('another file took its place');
  if (stats.size !== BigInt(file.size)) throw changed(`${file.size} bytes became ${stats.size}`);
  if (stats.mtimeNs !== BigInt(file.mtimeNs)) throw changed('it was written again');
}

/** Fewer bytes than its size says. */
export function truncated(): SlipwayError {
  return changed('it was cut off while it was read');
}

function changed(what: string): SlipwayError {
  return new SlipwayError('file_changed', { what });
}

const UNREADABLE = new Set(['EACCES', 'EPERM']);
const NOT_REGULAR = new Set(['EISDIR', 'ELOOP', 'EMLINK', 'ENXIO']);
const MISSING = new Set(['ENOENT', 'ENOTDIR']);
const NO_ROOM = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

/**
 * What the file system said, in our words. `file_vanished` is said only after the root was seen: a lost mount is not
 * a deleted file.
 */
export async function fileFailure(error: unknown, root: string): Promise<SlipwayError> {
  if (error instanceof SlipwayError) return error;
  const reason = reasonOf(error);
  if (MISSING.has(reason)) {
    const seen = await stat(root).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    return seen ? new SlipwayError('file_vanished') : new SlipwayError('source_root_gone', { root });
  }
  if (UNREADABLE.has(reason)) return new SlipwayError('file_unreadable', { reason }, { cause: error });
  if (NOT_REGULAR.has(reason)) return changed('it is no regular file any more');
  return new SlipwayError(
    NO_ROOM.has(reason) ? 'out_of_handles' : 'read_failed',
    { reason },
    { cause: error },
  );
}
