import { link, lstat, mkdir, open, rename, rmdir, unlink } from 'node:fs/promises';

/** Longest name of one path segment on the file systems in use (NAME_MAX). */
const MAX_NAME_BYTES = 255;

const SLASH = 0x2f;
const DOT = 0x2e;

/** FAT, exFAT and some network file systems have no hard links. */
const NO_LINKS: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EACCES',
]);

/**
 * Gives a file another name in the same file system, unless something has that name: nothing is ever overwritten.
 * A crash leaves it under the old name, or under both (the same inode). Throws the system's errors, EXDEV among them.
 * @returns false when the name is taken
 */
export async function renameToFree(from: Buffer, to: Buffer): Promise<boolean> {
  try {
    // rename(2) would overwrite; link(2) refuses.
    await link(from, to);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.has(code)) throw error;
    return await renameOverClaim(from, to);
  }
  await unlink(from);
  return true;
}

/** Claims the name with something empty of the same kind first: that, too, fails where something is. */
async function renameOverClaim(from: Buffer, to: Buffer): Promise<boolean> {
  const isFolder = (await lstat(from)).isDirectory();
  try {
    if (isFolder) await mkdir(to);
    else await (await open(to, 'wx')).close();
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    await (isFolder ? rmdir(to) : unlink(to)).catch(() => {});
    throw error;
  }
}

/**
 * Tries `a/b.pdf`, `a/b-2.pdf`, `a/b-3.pdf` … until one is free.
 * @param place puts the file there; false: taken
 * @returns the path it has now
 */
export async function withFreeName(
  path: Buffer,
  place: (candidate: Buffer) => Promise<boolean>,
): Promise<Buffer> {
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? path : suffixed(path, count);
    if (await place(candidate)) return candidate;
  }
}

/** `report.pdf` → `report-2.pdf`; a stem too long for a name loses its end. Bytes: names need not be UTF-8. */
export function suffixed(path: Buffer, count: number): Buffer {
  const begin = path.lastIndexOf(SLASH) + 1;
  const name = path.subarray(begin);
  const dot = name.lastIndexOf(DOT);
  const stem = dot > 0 ? name.subarray(0, dot) : name;
  const ending = dot > 0 ? name.subarray(dot) : Buffer.alloc(0);
  const suffix = Buffer.from(`-${count}`);
  const room = Math.max(1, MAX_NAME_BYTES - suffix.length - ending.length);
  return Buffer.concat([path.subarray(0, begin), wholeCharacters(stem, room), suffix, ending]);
}

/** At most `max` bytes, never ending inside a UTF-8 character. */
function wholeCharacters(bytes: Buffer, max: number): Buffer {
  if (bytes.length <= max) return bytes;
  let end = max;
  while (end > 1 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}

/** Whether two names lead to the very same file. */
export async function isSameFile(a: Buffer, b: Buffer): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map((path) => lstat(path, { bigint: true })));
  return first !== undefined && first.dev === second?.dev && first.ino === second.ino;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
