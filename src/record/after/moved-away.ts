import type { BigIntStats } from 'node:fs';
import { lstat, mkdir, stat } from 'node:fs/promises';
import { bytesOf, type PathName } from '../../domain/path-bytes.ts';
import { renameToFree, suffixed } from '../../platform/files/free-name.ts';
import { type MovedFile, moveInto } from './move-file.ts';

/** The version that was moved. */
export interface MovedVersion extends MovedFile {
  readonly bytes: number;
  readonly mtimeNs: string;
}

/** Names in a row that are not there before the search ends: some of a row may have been taken out by their user. */
const MISSES = 8;
/** FAT keeps times to two seconds; a copy to another file system carries no more than its target can keep. */
const TIME_STEP_NS = 2_000_000_000n;
const SLASH = 0x2f;

/**
 * Where `onFailure: { moveTo }` has put a file: its relative path in that folder, or with `-2`, `-3` … where that was
 * taken. Nothing says so but the file itself: same size, same time.
 * @param folder absolute path of the folder
 * @param root absolute path of the source's folder
 * @returns null: it is not there (any more)
 */
export async function findMoved(folder: string, root: string, version: MovedVersion): Promise<Buffer | null> {
  const sameDisk = (await stat(folder).catch(() => null))?.dev === (await stat(root).catch(() => null))?.dev;
  const path = below(folder, version);
  let misses = 0;
  for (let count = 1; misses < MISSES; count += 1) {
    const candidate = count === 1 ? path : suffixed(path, count);
    const stats = await lstat(candidate, { bigint: true }).catch(() => null);
    if (stats === null) misses += 1;
    else if (isVersion(stats, version, sameDisk)) return candidate;
    else misses = 0;
  }
  return null;
}

/**
 * Puts it back where it was, unless something lies there now: nothing is overwritten. Throws the system's errors.
 * @returns false when the name is taken
 */
export async function putMovedBack(root: string, version: MovedVersion, from: Buffer): Promise<boolean> {
  const original = below(root, version);
  await mkdir(original.subarray(0, original.lastIndexOf(SLASH)), { recursive: true });
  try {
    return await renameToFree(from, original);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
  }
  if ((await lstat(original).catch(() => null)) !== null) return false;
  await moveInto(root, version, from, () => undefined);
  return true;
}

function isVersion(stats: BigIntStats, { bytes, mtimeNs }: MovedVersion, sameDisk: boolean): boolean {
  if (!stats.isFile() || stats.size !== BigInt(bytes)) return false;
  const differenceNs = stats.mtimeNs - BigInt(mtimeNs);
  if (sameDisk) return differenceNs === 0n;
  return differenceNs < TIME_STEP_NS && -differenceNs < TIME_STEP_NS;
}

function below(folder: string, name: PathName): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), bytesOf(name)]);
}
