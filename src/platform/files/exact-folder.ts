import { closeSync, constants, existsSync, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readlink } from 'node:fs/promises';

/**
 * Access to what lies in a folder, without following a link in any component of its path: not the last one, and none
 * on the way. On Linux the folder is opened, the kernel is asked what it has opened, and everything is done through
 * that handle (`/proc/self/fd/N/name`, the portable way to openat): a link that takes the folder's place meanwhile is
 * met by nobody. Elsewhere every component is looked at right before.
 *
 * Paths given here begin with a real path (real-root.ts). A folder that is reached over a link is no folder: ENOTDIR,
 * as the system itself answers when a link stands where a folder is asked for.
 */
export type Path = string | Buffer;

const HANDLES = '/proc/self/fd/';
const HAS_HANDLES = process.platform === 'linux' && existsSync(HANDLES);
/** Names a folder without reading it: permission to search it is enough. Node does not name this flag of Linux. */
const O_PATH = 0x200000;
const FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const SLASH = 0x2f;

/** A folder that is held open. */
export interface ExactFolder {
  /** What to put before `/name`, and what stands for the folder itself. */
  readonly at: Path;
  /** Whether its path still leads to it, over no link. What is done through `at` is done in this very folder all the same. */
  isInPlace(): Promise<boolean>;
  /** False where the system knows no such handles: `at` is then the path, whatever it leads to. */
  readonly isHeld: boolean;
  close(): Promise<void>;
}

/**
 * @param folder absolute
 * @throws the system's error where the folder is not there (ENOENT, ENOTDIR) or may not be entered (EACCES)
 */
export async function openFolder(folder: Path): Promise<ExactFolder> {
  if (!HAS_HANDLES) {
    const isInPlace = (): Promise<boolean> => isExact(folder).catch(() => false);
    if (!(await isExact(folder))) throw linkOnTheWay(folder);
    return { at: folder, isHeld: false, isInPlace, close: async () => {} };
  }
  const handle = await open(folder, FLAGS);
  const isInPlace = (): Promise<boolean> => isAt(handle, folder).catch(() => false);
  try {
    if (await isAt(handle, folder))
      return { at: `${HANDLES}${handle.fd}`, isHeld: true, isInPlace, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  throw linkOnTheWay(folder);
}

/**
 * Does something with what lies in a folder.
 * @param work is given what to put before `/name` while it runs
 * @throws as `openFolder`
 */
export async function inFolder<T>(folder: Path, work: (at: Path) => Promise<T>): Promise<T> {
  const held = await openFolder(folder);
  try {
    return await work(held.at);
  } finally {
    await held.close();
  }
}

/** The same on the event loop; `work` must be done when it returns. */
export function inFolderSync<T>(folder: Path, work: (at: Path) => T): T {
  if (!HAS_HANDLES) {
    if (!isExactSync(folder)) throw linkOnTheWay(folder);
    return work(folder);
  }
  // Not kept for the next file of the folder: a disk that somebody wants to unmount would be in use.
  const fd = openSync(folder, FLAGS);
  try {
    if (!isLinkTo(fd, folder) && !isThisFolderSync(fstatSync(fd, { bigint: true }), folder))
      throw linkOnTheWay(folder);
    return work(`${HANDLES}${fd}`);
  } finally {
    closeSync(fd);
  }
}

/**
 * Opens a file for reading by its whole path and takes it only when the kernel says that it lies at this very path: what
 * a link on the way led to is closed unread. One handle instead of two, and this runs once per small file.
 * @param flags must hold O_NOFOLLOW
 * @throws the system's errors, as `openFolder`
 */
export function openFileSync(path: Path, flags: number): number {
  if (HAS_HANDLES) {
    const fd = openSync(path, flags);
    try {
      if (isLinkTo(fd, path)) return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
  // A link on the way, another spelling of the same name, or a name that it lost right now: the folder tells which.
  const { parent, name } = splitPath(path);
  return inFolderSync(parent, (at) => openSync(below(at, name), flags));
}

/** As `inFolder`; folders that are not there are made on the way, under the same rule. */
export async function inMadeFolder<T>(folder: Path, work: (at: Path) => Promise<T>): Promise<T> {
  try {
    return await inFolder(folder, work);
  } catch (error) {
    // Also what `work` throws: then the folder is there, and making it again changes nothing.
    if (codeOf(error) !== 'ENOENT' || (await isThere(folder))) throw error;
  }
  const { parent, name } = splitPath(folder);
  await inMadeFolder(parent, async (at) => {
    await mkdir(below(at, name)).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  });
  return await inFolder(folder, work);
}

/** What leads to an open file whatever becomes of its name; the name itself where the system has no such thing. */
export function openedPath(file: Pick<FileHandle, 'fd'>, name: Path): Path {
  return HAS_HANDLES ? `${HANDLES}${file.fd}` : name;
}

/** `/a/b/c` → `/a/b` and `c`. */
export function splitPath(path: Path): { readonly parent: Path; readonly name: Path } {
  if (typeof path === 'string') {
    const slash = path.lastIndexOf('/');
    return { parent: path.slice(0, slash) || '/', name: path.slice(slash + 1) };
  }
  const slash = path.lastIndexOf(SLASH);
  return { parent: path.subarray(0, Math.max(1, slash)), name: path.subarray(slash + 1) };
}

/** A name in a folder; bytes where either is bytes. */
export function below(folder: Path, name: Path): Path {
  if (typeof folder === 'string' && typeof name === 'string') return `${folder}/${name}`;
  return pathIn(folder, name);
}

/** Whether what is open lies at this very path, by the kernel's own account. */
function isLinkTo(fd: number, path: Path): boolean {
  if (typeof path === 'string') return readlinkSync(`${HANDLES}${fd}`) === path;
  return readlinkSync(`${HANDLES}${fd}`, 'buffer').equals(path);
}

async function isAt(handle: FileHandle, folder: Path): Promise<boolean> {
  const link = `${HANDLES}${handle.fd}`;
  const isSame =
    typeof folder === 'string'
      ? (await readlink(link)) === folder
      : (await readlink(link, 'buffer')).equals(folder);
  if (isSame) return true;
  // Another spelling of the same name (a file system that does not tell case apart) is no link.
  if (!(await isExact(folder))) return false;
  const [opened, found] = [await handle.stat({ bigint: true }), await lstat(folder, { bigint: true })];
  return found.ino === opened.ino && found.dev === opened.dev;
}

function isThisFolderSync(opened: { readonly dev: bigint; readonly ino: bigint }, folder: Path): boolean {
  const found = isExactSync(folder) ? lstatSync(folder, { bigint: true }) : null;
  return found !== null && found.ino === opened.ino && found.dev === opened.dev;
}

/** Whether every component is a folder of its own. Throws the system's error where one is not there. */
async function isExact(folder: Path): Promise<boolean> {
  for (const path of prefixesOf(folder)) if (!(await lstat(path)).isDirectory()) return false;
  return true;
}

function isExactSync(folder: Path): boolean {
  return prefixesOf(folder).every((path) => lstatSync(path).isDirectory());
}

function prefixesOf(folder: Path): Path[] {
  const path = bytes(folder);
  const prefixes: Path[] = [];
  for (let slash = path.indexOf(SLASH, 1); slash !== -1; slash = path.indexOf(SLASH, slash + 1))
    prefixes.push(path.subarray(0, slash));
  return [...prefixes, folder];
}

async function isThere(path: Path): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

/** As `below`, for names whose exact bytes matter. */
export function pathIn(folder: Path, name: Path): Buffer {
  return Buffer.concat([bytes(folder), Buffer.from('/'), bytes(name)]);
}

function bytes(path: Path): Buffer {
  return typeof path === 'string' ? Buffer.from(path) : path;
}

function linkOnTheWay(folder: Path): NodeJS.ErrnoException {
  const text = `ENOTDIR: reached over a link, '${folder.toString()}'`;
  return Object.assign(new Error(text), { code: 'ENOTDIR', path: folder.toString() });
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
