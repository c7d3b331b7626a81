import type { BigIntStats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { bytesOf, type PathName } from '../../domain/path-bytes.ts';
import { inFolder, inMadeFolder, pathIn, splitPath } from '../../platform/files/exact-folder.ts';
import { renameToFree, suffixed } from '../../platform/files/free-name.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import { type MovedFile, moveInto } from './move-file.ts';
import { deviceOf } from './set-aside.ts';

/** The version that was moved. */
export interface MovedVersion extends MovedFile {
  readonly bytes: number;
  readonly mtimeNs: string;
}

/** Names in a row that are not there before the search ends: some of a row may have been taken out by their user. */
const MISSES = 8;
/** FAT keeps times to two seconds; a copy to another file system carries no more than its target can keep. */
const TIME_STEP_NS = 2_000_000_000n;

/**
 * Where `onFailure: { moveTo }` has put a file: its relative path in that folder, or with `-2`, `-3` … where that was
 * taken. Nothing says so but the file itself: same size, same time.
 * @param folder absolute path of the folder
 * @param root absolute path of the source's folder
 * @returns null: it is not there (any more)
 */
export async function findMoved(folder: string, root: string, version: MovedVersion): Promise<Buffer | null> {
  const sameDisk = (await deviceOf(folder)) === (await deviceOf(root));
  const { parent, name } = splitPath(below(folder, version));
  const search = inFolder(parent, async (at) => {
    let misses = 0;
    for (let count = 1; misses < MISSES; count += 1) {
      const candidate = count === 1 ? pathIn(at, name) : suffixed(pathIn(at, name), count);
      const stats = await lstat(candidate, { bigint: true }).catch(() => null);
      if (stats === null) misses += 1;
      else if (isVersion(stats, version, sameDisk)) return pathIn(parent, splitPath(candidate).name);
      else misses = 0;
    }
    return null;
  });
  return await search.catch(() => null);
}

/**
 * Puts it back where it was, unless something lies there now: nothing is overwritten. Throws the system's errors.
 * @returns false when the name is taken
 */
export async function putMovedBack(root: string, version: MovedVersion, from: Buffer): Promise<boolean> {
  const [here, there] = [splitPath(from), splitPath(below(root, version))];
  return await inFolder(here.parent, async (at) => {
    const moved = pathIn(at, here.name);
    const isBack = await inMadeFolder(there.parent, async (back) => {
      const original = pathIn(back, there.name);
      try {
        return await renameToFree(moved, original);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      }
      return (await lstat(original).catch(() => null)) === null ? null : false;
    });
    if (isBack !== null) return isBack;
    await moveInto(root, version, moved, () => undefined);
    return true;
  });
}

function isVersion(stats: BigIntStats, { bytes, mtimeNs }: MovedVersion, sameDisk: boolean): boolean {
  if (!stats.isFile() || stats.size !== BigInt(bytes)) return false;
  const differenceNs = stats.mtimeNs - BigInt(mtimeNs);
  if (sameDisk) return differenceNs === 0n;
  return differenceNs < TIME_STEP_NS && -differenceNs < TIME_STEP_NS;
}

function below(folder: string, name: PathName): Buffer {
  return Buffer.concat([Buffer.from(`${realRootOf(folder)}/`), bytesOf(name)]);
}
