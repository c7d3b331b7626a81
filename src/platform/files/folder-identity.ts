import { opendir, stat } from 'node:fs/promises';
import { inFolder } from './exact-folder.ts';
import { realRootOf } from './real-root.ts';

/**
 * Which folder a configured path leads to: an inode number alone is used again by ext4 at once. null: no folder to be
 * seen, or a link stands where the folder was when this process met it first.
 */
export async function folderIdentityOf(path: string): Promise<string | null> {
  try {
    const { dev, ino, birthtimeNs } = await inFolder(realRootOf(path), (at) => stat(at, { bigint: true }));
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return null;
  }
}

/** The same, of a folder in which something lies; null: none is to be seen, or nothing lies in it. */
export async function filledFolderIdentityOf(path: string): Promise<string | null> {
  return (await isEmptyFolder(path)) ? null : await folderIdentityOf(path);
}

/** Whether nothing at all lies in a folder. False also for one that cannot be listed: nothing is known of it. */
export async function isEmptyFolder(path: string): Promise<boolean> {
  try {
    const folder = await inFolder(realRootOf(path), (at) => opendir(at, { bufferSize: 1 }));
    const first = await folder.read();
    await folder.close();
    return first === null;
  } catch {
    return false;
  }
}

/** Whether a path leads to this very folder, and nothing lies in it. False where that changed while it was looked at. */
export async function isEmptyFolderOf(path: string, identity: string): Promise<boolean> {
  if ((await folderIdentityOf(path)) !== identity || !(await isEmptyFolder(path))) return false;
  return (await folderIdentityOf(path)) === identity;
}
