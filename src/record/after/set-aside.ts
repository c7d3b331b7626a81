import type { BigIntStats } from 'node:fs';
import { lstat, rename, stat } from 'node:fs/promises';
import { bytesOf } from '../../domain/path-bytes.ts';
import type { Intent } from '../../ledger/intent.ts';
import { TEMPORARY_PREFIX } from '../../platform/files/atomic-file.ts';
import { renameToFree, withFreeName } from '../../platform/files/free-name.ts';

const SLASH = 0x2f;

/**
 * What became of the attempt to take a file out of everybody's way.
 * - `ready`: it lies under its aside name, and is the version that was recorded
 * - `changed`: another version lies there; nothing was touched, or all of it put back
 * - `gone`: neither name is there
 */
export type SetAside = { readonly kind: 'ready' } | { readonly kind: 'changed' } | { readonly kind: 'gone' };

/** Where a file lies, and where it lies while something is done with it. */
export interface IntentPaths {
  readonly original: Buffer;
  /** In the same folder (a rename works within one file system only), under a name that intake ignores. */
  readonly aside: Buffer;
}

/** The same after every crash, and of one intent only. */
export function pathsOf(intent: Intent): IntentPaths {
  const original = Buffer.concat([Buffer.from(`${intent.root}/`), bytesOf(intent)]);
  const folder = original.subarray(0, original.lastIndexOf(SLASH) + 1);
  const name = Buffer.from(`${TEMPORARY_PREFIX}${intent.id}-${intent.gen}`);
  return { original, aside: Buffer.concat([folder, name]) };
}

/**
 * Renames a file aside, then looks again: a writer that replaced it in between gets it back. Goes on where a crash
 * ended. Throws the system's errors.
 */
export async function setAside(intent: Intent): Promise<SetAside> {
  const { original, aside } = pathsOf(intent);
  const asideBefore = await look(aside);
  if (asideBefore !== null) return await verified(intent, asideBefore);
  const found = await look(original);
  if (found === null) return { kind: 'gone' };
  if (!isVersion(found, intent)) return { kind: 'changed' };
  await rename(original, aside);
  const now = await look(aside);
  if (now !== null && now.ino === found.ino) return await verified(intent, now);
  await putBack(intent);
  return { kind: 'changed' };
}

async function verified(intent: Intent, stats: BigIntStats): Promise<SetAside> {
  if (isVersion(stats, intent)) return { kind: 'ready' };
  await putBack(intent);
  return { kind: 'changed' };
}

/**
 * Gives a file its name back, without overwriting what has taken it meanwhile: then it comes back beside it. Nothing
 * to do when it is not aside.
 * @returns where it lies now; null: it was not aside
 */
export async function putBack(intent: Intent): Promise<Buffer | null> {
  const { original, aside } = pathsOf(intent);
  if ((await look(aside)) === null) return null;
  return await withFreeName(original, (candidate) => renameToFree(aside, candidate));
}

/** Gives a file its name back because nobody wants anything done with it any more. */
export async function undoAside(intent: Intent): Promise<Exclude<SetAside, { kind: 'ready' }>> {
  if ((await putBack(intent)) !== null) return { kind: 'changed' };
  return { kind: (await look(pathsOf(intent).original)) === null ? 'gone' : 'changed' };
}

/** The device a folder lies on; null when it is not there. Of files out of sight nothing is concluded. */
export async function deviceOf(folder: string): Promise<number | null> {
  const stats = await stat(folder).catch(() => null);
  return stats?.isDirectory() ? stats.dev : null;
}

function isVersion(stats: BigIntStats, { size, mtimeNs }: Intent): boolean {
  return stats.isFile() && stats.size === BigInt(size) && String(stats.mtimeNs) === mtimeNs;
}

/** lstat: a symlink that took the file's place is not the file. */
async function look(path: Buffer): Promise<BigIntStats | null> {
  return await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
}
