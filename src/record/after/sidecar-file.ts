import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { isReceiptText, RECEIPT_SUFFIX } from '../../domain/receipt.ts';
import { TEMPORARY_PREFIX } from '../../platform/files/atomic-file.ts';
import { READ_FLAGS } from '../../platform/files/exact-file.ts';
import { inFolder, type Path, pathIn, splitPath } from '../../platform/files/exact-folder.ts';
import { renameToFree } from '../../platform/files/free-name.ts';

/** No receipt is longer; what is, is somebody's file. */
const MAX_SIDECAR_BYTES = 256 * 1024;

/** Where the receipt of a file is written: beside it. */
export function sidecarPathOf(file: Buffer): Buffer {
  return Buffer.concat([file, Buffer.from(RECEIPT_SUFFIX)]);
}

/**
 * Writes the receipt of a file beside it (0600): a reader sees the old one or the new one, never a part. Its name is
 * durable once its folder is synced, which many can share. A file of that name that is no receipt is somebody's, and
 * stays. Throws the system's errors.
 * @param line the receipt as the journal has it
 * @param key names the temporary file: the same after a crash, so that nothing is left over
 * @returns false: the name belongs to somebody's file
 */
export async function writeSidecar(file: Buffer, line: Buffer, key: string): Promise<boolean> {
  const { parent, name } = splitPath(sidecarPathOf(file));
  return await inFolder(parent, async (at) => {
    const target = pathIn(at, name);
    const temporary = temporaryIn(at, key);
    if ((await holder(target)) === 'somebody') return false;
    await rm(temporary, { force: true });
    try {
      await writeDurably(temporary, line);
      return await placed(temporary, target);
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

/** Removes what a crash has left of a receipt that is not to be written any more. Throws nothing. */
export async function removeUnfinished(file: Buffer, key: string): Promise<void> {
  const { parent } = splitPath(file);
  await inFolder(parent, (at) => rm(temporaryIn(at, key), { force: true })).catch(() => {});
}

function temporaryIn(at: Path, key: string): Buffer {
  return pathIn(at, `${TEMPORARY_PREFIX}${key}.tmp`);
}

/** Whether the receipt beside a file is of another version than this one. */
export async function isSidecarOfAnother(file: Buffer, id: string): Promise<boolean> {
  const { parent, name } = splitPath(sidecarPathOf(file));
  const text = await inFolder(parent, (at) => textOf(pathIn(at, name))).catch(() => null);
  return text !== null && isReceiptText(text) && (JSON.parse(text) as { id: string }).id !== id;
}

/** A free name is taken without overwriting: whoever takes it first meanwhile keeps it, unless it is a receipt. */
async function placed(temporary: Buffer, target: Buffer): Promise<boolean> {
  if (await renameToFree(temporary, target)) return true;
  if ((await holder(target)) === 'somebody') return false;
  await rename(temporary, target);
  return true;
}

async function holder(path: Buffer): Promise<'nobody' | 'us' | 'somebody'> {
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (stats === null) return 'nobody';
  if (!stats.isFile() || stats.size > MAX_SIDECAR_BYTES) return 'somebody';
  return isReceiptText(await textOf(path)) ? 'us' : 'somebody';
}

async function textOf(path: Buffer): Promise<string> {
  const file = await open(path, READ_FLAGS);
  try {
    return (await file.readFile()).toString('utf8');
  } finally {
    await file.close();
  }
}

async function writeDurably(path: Buffer, line: Buffer): Promise<void> {
  const file: FileHandle = await open(path, 'wx', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(Buffer.concat([line, Buffer.from('\n')]));
    await file.datasync();
  } finally {
    await file.close();
  }
}
