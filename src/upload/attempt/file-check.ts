import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { type PathName, pathOnDisk } from '../../domain/path-bytes.ts';
import { inFolder } from '../../platform/files/exact-folder.ts';
import { folderIdentityOf } from '../../platform/files/folder-identity.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { RootCheck } from '../root-check.ts';

/** The file version that is to be sent. */
export interface FileToSend {
  /** Absolute path of the source's root. */
  readonly root: string;
  /** Asked whether that root is there; without it any folder counts as present. */
  readonly rootCheck?: RootCheck;
  readonly name: PathName;
  /** Bytes. */
  readonly size: number;
  readonly mtimeNs: string;
  /** Where its bytes lie when that is not `name` below `root`: below `root` all the same. */
  readonly at?: PathName;
  /** Its bytes, where it never lay on a disk: then nothing is looked for below `root`. */
  readonly content?: { readonly bytes: Buffer; readonly sha256: string };
  /** Hex, where it was made of these very bytes as they came in, and nobody else can write the file since. */
  readonly sha256?: string;
}

export function diskPathOf(file: FileToSend): string | Buffer {
  return pathOnDisk(realRootOf(file.root), file.at ?? file.name);
}

/**
 * Is this still the version that was queued (G2)? Asked before the first byte is read (`fstat`) and after the last
 * (`lstat` of the path), before the body's end is sent: a body that never ends is never stored.
 * @param opened what was opened; null at the first check
 * @throws SlipwayError `file_changed`
 */
export function assertSameVersion(
  stats: BigIntStats,
  file: FileToSend,
  opened: Pick<BigIntStats, 'dev' | 'ino'> | null,
): void {
  if (!stats.isFile()) throw changed('it is no regular file any more');
  if (opened !== null && (stats.ino !== opened.ino || stats.dev !== opened.dev))
    throw changed('another file took its place');
  if (stats.size !== BigInt(file.size)) throw changed(`${file.size} bytes became ${stats.size}`);
  if (!isSameTime(stats.mtimeNs, BigInt(file.mtimeNs))) throw changed('it was written again');
}

const NS_PER_MS = 1_000_000n;
const NS_PER_US = 1_000n;

/**
 * Another mount of the same disk may cut times off at milli- or microseconds (contract §4): such a time is compared at
 * milliseconds. One with nanoseconds is exact.
 */
function isSameTime(seenNs: bigint, queuedNs: bigint): boolean {
  if (seenNs === queuedNs) return true;
  const isCoarse = seenNs % NS_PER_US === 0n;
  return isCoarse && seenNs / NS_PER_MS === queuedNs / NS_PER_MS;
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
 * a deleted file, and a root that may not be entered says nothing about the files in it.
 */
export async function fileFailure(
  error: unknown,
  { root, rootCheck }: Pick<FileToSend, 'root' | 'rootCheck'>,
): Promise<SlipwayError> {
  if (error instanceof SlipwayError) return error;
  const reason = reasonOf(error);
  if (MISSING.has(reason)) {
    const present = (await rootCheck?.present()) ?? (await folderIdentityOf(root)) !== null;
    return present ? new SlipwayError('file_vanished') : new SlipwayError('source_root_gone', { root });
  }
  if (UNREADABLE.has(reason)) {
    // The dot asks for the permission that every path below the root needs.
    const closed = await inFolder(realRootOf(root), (at) => stat(`${at}/.`)).then(() => null, reasonOf);
    return closed === null
      ? new SlipwayError('file_unreadable', { reason }, { cause: error })
      : new SlipwayError('source_root_closed', { root, reason: closed }, { cause: error });
  }
  if (NOT_REGULAR.has(reason)) return changed('it is no regular file any more');
  return new SlipwayError(
    NO_ROOM.has(reason) ? 'out_of_handles' : 'read_failed',
    { reason },
    { cause: error },
  );
}
