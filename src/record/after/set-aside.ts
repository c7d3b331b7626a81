import type { BigIntStats } from 'node:fs';
import { lstat, rename, stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { bytesOf } from '../../domain/path-bytes.ts';
import type { Intent } from '../../ledger/intent.ts';
import { TEMPORARY_PREFIX } from '../../platform/files/atomic-file.ts';
import { inFolder, type Path, pathIn } from '../../platform/files/exact-folder.ts';
import { renameToFree, withFreeName } from '../../platform/files/free-name.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import { fileKey } from '../../platform/process/open-for-writing.ts';

const SLASH = 0x2f;

/**
 * What became of the attempt to take a file out of everybody's way.
 * - `ready`: it lies under its aside name, and is the version that was recorded; `file`: which file it is (`fileKey`)
 * - `changed`: another version lies there; nothing was touched, or all of it put back
 * - `gone`: neither name is there
 */
export type SetAside =
  | { readonly kind: 'ready'; readonly file: string }
  | { readonly kind: 'changed' }
  | { readonly kind: 'gone' };

/** Where a file lies, and where it lies while something is done with it. */
export interface IntentPaths {
  /** Absolute, the links of the root resolved. */
  readonly folder: Buffer;
  /** In that folder. */
  readonly name: Buffer;
  /** In the same folder (a rename works within one file system only), under a name that intake ignores. */
  readonly aside: Buffer;
}

/** The same after every crash, and of one intent only. */
export function pathsOf(intent: Intent): IntentPaths {
  const path = Buffer.concat([Buffer.from(`${realRootOf(intent.root)}/`), bytesOf(intent)]);
  const slash = path.lastIndexOf(SLASH);
  const aside = Buffer.from(`${TEMPORARY_PREFIX}${intent.id}-${intent.gen}`);
  return { folder: path.subarray(0, slash), name: path.subarray(slash + 1), aside };
}

/** Where the file of an intent lay when it was sent. */
export function originalOf(intent: Intent): Buffer {
  const { folder, name } = pathsOf(intent);
  return pathIn(folder, name);
}

/**
 * Renames a file aside, then looks again: a writer that replaced it in between gets it back. Goes on where a crash
 * ended. Throws the system's errors.
 * @param at its folder, held open (exact-folder.ts): no link on the way is followed
 */
export async function setAside(intent: Intent, at: Path): Promise<SetAside> {
  const [original, aside] = pathsIn(intent, at);
  const asideBefore = await look(aside);
  if (asideBefore !== null) return await verified(intent, asideBefore, at);
  const found = await look(original);
  if (found === null) return { kind: 'gone' };
  if (!isVersion(found, intent)) return { kind: 'changed' };
  await rename(original, aside);
  const now = await look(aside);
  if (now !== null && now.ino === found.ino && now.dev === found.dev) return await verified(intent, now, at);
  await putBack(intent, at);
  return { kind: 'changed' };
}

async function verified(intent: Intent, stats: BigIntStats, at: Path): Promise<SetAside> {
  if (isVersion(stats, intent)) return { kind: 'ready', file: fileKey(stats) };
  await putBack(intent, at);
  return { kind: 'changed' };
}

/**
 * Gives a file its name back, without overwriting what has taken it meanwhile: then it comes back beside it. Nothing
 * to do when it is not aside.
 * @returns whether it was aside
 */
export async function putBack(intent: Intent, at: Path): Promise<boolean> {
  const [original, aside] = pathsIn(intent, at);
  if ((await look(aside)) === null) return false;
  await withFreeName(original, (candidate) => renameToFree(aside, candidate));
  return true;
}

/** Gives a file its name back because nobody wants anything done with it any more. */
export async function undoAside(intent: Intent, at: Path): Promise<Exclude<SetAside, { kind: 'ready' }>> {
  if (await putBack(intent, at)) return { kind: 'changed' };
  return { kind: (await look(pathsIn(intent, at)[0])) === null ? 'gone' : 'changed' };
}

/** The device a source's folder lies on; null when it is not there. Of files out of sight nothing is concluded. */
export async function deviceOf(root: string): Promise<number | null> {
  const stats = await inFolder(realRootOf(root), (at) => stat(at)).catch(() => null);
  return stats?.dev ?? null;
}

function pathsIn(intent: Intent, at: Path): [original: Buffer, aside: Buffer] {
  const { name, aside } = pathsOf(intent);
  return [pathIn(at, name), pathIn(at, aside)];
}

/** Whether this is the file that was sent, as it was then (G4). */
function isVersion(stats: BigIntStats, { size, mtimeNs, file }: Intent): boolean {
  if (!stats.isFile() || stats.size !== BigInt(size) || String(stats.mtimeNs) !== mtimeNs) return false;
  if (file === undefined) return true;
  // Devices are numbered anew when a machine starts.
  const sameDevice = file.seenMs < performance.timeOrigin || String(stats.dev) === file.dev;
  return sameDevice && String(stats.ino) === file.ino;
}

/** lstat: a symlink that took the file's place is not the file. */
async function look(path: Buffer): Promise<BigIntStats | null> {
  return await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
}
