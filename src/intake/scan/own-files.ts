import { lstat } from 'node:fs/promises';
import { bytesOf, pathOnDisk } from '../../domain/path-bytes.ts';
import { isManifestText, isReceiptText } from '../../domain/receipt.ts';
import { openFile } from '../../platform/files/exact-file.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { SeenFile } from './seen-file.ts';

/** No receipt is longer; the head of a manifest is shorter. */
const HEAD_BYTES = 64 * 1024;
/** What this folder holds besides makes it one of Slipway's (ledger/store/data-dir.ts). */
const INSTALLATION = 'installation';
const INSTALLATION_BYTES = 33;
const SLASH = 0x2f;

/**
 * Leaves out what Slipway wrote itself (G9): receipts beside files, manifests and journals of whatever run, and all that
 * lies in a data folder. Where it comes from another run than this one no name tells it from a file of the user's; the
 * content does. Only files of such names are read, and of those the beginning.
 * @param root absolute path of the source's root
 */
export async function withoutOwnFiles<File extends SeenFile>(
  root: string,
  files: readonly File[],
): Promise<readonly File[]> {
  const real = realRootOf(root);
  const folders = new Map<string, Promise<boolean>>();
  const kept: File[] = [];
  for (const file of files) {
    const isOurs =
      (await liesInDataFolder(real, file, folders)) || (isSuspect(file) && (await isOwnText(real, file)));
    if (!isOurs) kept.push(file);
  }
  return kept.length === files.length ? files : kept;
}

/** Also copies: `x.manifest.json.bak` holds what `x.manifest.json` holds. */
function isSuspect({ name }: SeenFile): boolean {
  return name.path.slice(name.path.lastIndexOf('/') + 1).includes('.json');
}

/** What cannot be read is not: as any other file it then fails for all to see. */
async function isOwnText(root: string, { name }: SeenFile): Promise<boolean> {
  try {
    const file = await openFile(pathOnDisk(root, name));
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      const head = buffer.toString('utf8', 0, bytesRead);
      const line = head.indexOf('\n');
      return isManifestText(head) || isReceiptText(line === -1 ? head : head.slice(0, line));
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

/** @param known folders that were looked at already, by their paths as Latin-1 */
async function liesInDataFolder(
  root: string,
  { name }: SeenFile,
  known: Map<string, Promise<boolean>>,
): Promise<boolean> {
  const path = bytesOf(name);
  for (let slash = path.lastIndexOf(SLASH); ; slash = path.lastIndexOf(SLASH, slash - 1)) {
    const folder = path.subarray(0, Math.max(0, slash));
    const key = folder.toString('latin1');
    const isOne = known.get(key) ?? isDataFolder(Buffer.concat([Buffer.from(`${root}/`), folder]));
    known.set(key, isOne);
    if (await isOne) return true;
    if (slash <= 0) return false;
  }
}

/** Whether a folder is a data folder of Slipway, of this one or another. One look; throws nothing. */
export async function isDataFolder(folder: string | Buffer): Promise<boolean> {
  const below = (name: string): Buffer => Buffer.concat([Buffer.from(folder), Buffer.from(`/${name}`)]);
  const stats = await lstat(below(INSTALLATION)).catch(() => null);
  if (stats?.isFile() !== true || stats.size !== INSTALLATION_BYTES) return false;
  const file = await openFile(below(INSTALLATION)).catch(() => null);
  if (file === null) return true;
  try {
    return /^[0-9a-f]{32}\n$/.test((await file.readFile()).toString('latin1'));
  } catch {
    return true;
  } finally {
    await file.close();
  }
}
