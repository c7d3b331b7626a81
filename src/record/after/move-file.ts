import { constants } from 'node:fs';
import { copyFile, open, rm, unlink, utimes } from 'node:fs/promises';
import { bytesOf, type PathName } from '../../domain/path-bytes.ts';
import type { Intent } from '../../ledger/intent.ts';
import { syncedFolder } from '../../ledger/journal/synced-folder.ts';
import { TEMPORARY_PREFIX } from '../../platform/files/atomic-file.ts';
import { READ_FLAGS } from '../../platform/files/exact-file.ts';
import {
  inFolder,
  inMadeFolder,
  openedPath,
  type Path,
  pathIn,
  splitPath,
} from '../../platform/files/exact-folder.ts';
import { isSameFile, renameToFree, withFreeName } from '../../platform/files/free-name.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import { isCopy } from './is-copy.ts';

/** What has just been done when the fault harness may strike. */
export type MoveStep = 'copied' | 'published';

/** What names a file that is moved. */
export type MovedFile = PathName & Pick<Intent, 'id' | 'gen'>;

/**
 * Moves a file that lies aside into another folder, keeping the folders of the source below it; a link inside that
 * folder is not followed. Never overwrites: a taken name gets a suffix, unless what has it is this very file (a move
 * that a crash cut short). On another file system it is copied, made durable and published under its name before the
 * original goes. Throws the system's errors.
 * @param folder as it is configured
 * @param aside where it lies now, in a folder that is held open
 * @returns where it lies then
 */
export async function moveInto(
  folder: string,
  intent: MovedFile,
  aside: Buffer,
  failpoint: (step: MoveStep) => void | Promise<void>,
): Promise<Buffer> {
  const target = Buffer.concat([Buffer.from(`${realRootOf(folder)}/`), bytesOf(intent)]);
  const { parent, name } = splitPath(target);
  const placed = await inMadeFolder(parent, async (at) => {
    const temporary = temporaryIn(at, intent);
    try {
      return await withFreeName(pathIn(at, name), (candidate) =>
        unlessThere({ aside, temporary }, candidate, (to) => renameToFree(aside, to)),
      );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    }
    return await copyInto(at, pathIn(at, name), { aside, temporary }, failpoint);
  });
  return pathIn(parent, splitPath(placed).name);
}

/** Removes the copy that a crash has left of a file that is not to be moved any more. Throws nothing. */
export async function removeCopy(folder: string, intent: MovedFile): Promise<void> {
  const { parent } = splitPath(Buffer.concat([Buffer.from(`${realRootOf(folder)}/`), bytesOf(intent)]));
  await inFolder(parent, (at) => rm(temporaryIn(at, intent), { force: true })).catch(() => {});
}

function temporaryIn(at: Path, { id, gen }: MovedFile): Buffer {
  return pathIn(at, `${TEMPORARY_PREFIX}${id}-${gen}`);
}

interface OnTheWay {
  readonly aside: Buffer;
  /** Where its copy is made, when it goes to another file system. */
  readonly temporary: Buffer;
}

async function copyInto(
  parent: Path,
  target: Buffer,
  { aside, temporary }: OnTheWay,
  failpoint: (step: MoveStep) => void | Promise<void>,
): Promise<Buffer> {
  // What a crash left may be half a file.
  await rm(temporary, { force: true });
  try {
    await copyDurably(aside, temporary);
    await failpoint('copied');
    const placed = await withFreeName(target, (candidate) =>
      unlessThere({ aside, temporary }, candidate, (to) => renameToFree(temporary, to)),
    );
    await syncedFolder(parent);
    await failpoint('published');
    await unlink(aside).catch(ignoreMissing);
    return placed;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** As `place`, but where this very file, or a copy of it with its time, is there already, it has been moved. */
async function unlessThere(
  { aside, temporary }: OnTheWay,
  candidate: Buffer,
  place: (to: Buffer) => Promise<boolean>,
): Promise<boolean> {
  if (await place(candidate)) return true;
  if (!(await isSameFile(aside, candidate)) && !(await isCopy(aside, candidate))) return false;
  // A kill while the copy got its name has left both names. Before the file: without that nobody comes back here.
  await rm(temporary, { force: true });
  await unlink(aside).catch(ignoreMissing);
  return true;
}

async function copyDurably(from: Buffer, to: Buffer): Promise<void> {
  const source = await open(from, READ_FLAGS);
  try {
    // Through what is open, where the system can: a link that takes its name now is not what is copied. A file system
    // that can share blocks copies nothing.
    await copyFile(openedPath(source, from), to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const { atimeMs, mtimeMs } = await source.stat();
    await utimes(to, atimeMs / 1_000, mtimeMs / 1_000);
  } finally {
    await source.close();
  }
  const file = await open(to, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
