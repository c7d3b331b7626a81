import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { below, inFolder, type Path, splitPath } from './exact-folder.ts';

/**
 * For reading, without following a link that was put in a file's place, and without hanging on a pipe that was. Windows
 * has neither flag.
 */
export const READ_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Opens a file for reading; no component of its path may be a link. Throws the system's errors (see exact-folder.ts). */
export async function openFile(path: Path): Promise<FileHandle> {
  const { parent, name } = splitPath(path);
  return await inFolder(parent, (at) => open(below(at, name), READ_FLAGS));
}

/** Looks at what has a name; no component of its folder's path may be a link. Throws the system's errors. */
export async function lstatFile(path: Path): Promise<BigIntStats> {
  const { parent, name } = splitPath(path);
  return await inFolder(parent, (at) => lstat(below(at, name), { bigint: true }));
}

/** The whole of a small file, without following a link in any component of its path. Throws the system's errors. */
export async function readExactFile(path: Path): Promise<Buffer> {
  const file = await openFile(path);
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}
