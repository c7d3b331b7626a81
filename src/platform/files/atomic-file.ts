import { hash } from 'node:crypto';
import { type FileHandle, lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  formatIdentity,
  hostIdentity,
  isProcessAlive,
  ownIdentity,
  type ProcessIdentity,
  parseIdentity,
} from '../process/process-identity.ts';

export type Chunks = string | Iterable<string | Buffer> | AsyncIterable<string | Buffer>;

export interface AtomicWriteOptions {
  /** Permission bits of the new file, whatever the umask says. */
  readonly mode: number;
}

/** Temporary names begin so; intake never takes them for the user's files. */
export const TEMPORARY_PREFIX = '.slipway-';

/** Chunks are gathered up to this before they are written: a line at a time would be a system call a line. */
const WRITE_BYTES = 256 * 1024;

/**
 * Replaces a file in one step: a reader sees the old content or the new one, never a part, also after a power cut.
 * Written beside the target (a rename works within one file system only), synced, renamed, the folder synced. When
 * anything fails the old file is as it was and the temporary one is gone. Memory stays constant for any length.
 * Throws the system's error (ENOSPC, EACCES …) or what `chunks` throws.
 * @param chunks the whole content
 */
export async function writeAtomic(path: string, chunks: Chunks, options: AtomicWriteOptions): Promise<void> {
  const temporary = join(dirname(path), temporaryName());
  const handle = await open(temporary, 'wx', options.mode);
  try {
    try {
      await handle.chmod(options.mode);
      await writeAll(handle, typeof chunks === 'string' ? [chunks] : chunks);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

let writes = 0;

/**
 * Unique per write, and names who writes, so that what a kill leaves is known as nobody's. It does not hold the target's name,
 * which may already be as long as a name can be.
 */
function temporaryName(): string {
  writes += 1;
  return `${TEMPORARY_PREFIX}${hostMark()}-${formatIdentity(self())}-${writes}.tmp`;
}

const WRITER = /^\.slipway-([0-9a-f]{8})-(\d+-\d+)-\d+\.tmp$/;
/** As versions before this one named theirs. */
const UNSIGNED = /^\.slipway-[0-9a-f]{18}\.tmp$/;
const UNSIGNED_AFTER_MS = 24 * 3_600_000;

/** Removes what killed processes of this host have left half-written in these folders. Throws nothing. */
export async function sweepTemporaries(folders: readonly string[]): Promise<void> {
  for (const folder of new Set(folders)) {
    const names = await readdir(folder).catch(() => []);
    for (const name of names)
      if (await isNobodys(join(folder, name), name)) await unlink(join(folder, name)).catch(() => {});
  }
}

async function isNobodys(path: string, name: string): Promise<boolean> {
  const [, host, process] = WRITER.exec(name) ?? [];
  const identity = process === undefined ? null : parseIdentity(process);
  if (identity !== null) return host === hostMark() && !isProcessAlive(identity);
  if (!UNSIGNED.test(name)) return false;
  const stats = await lstat(path).catch(() => null);
  return stats?.isFile() === true && Date.now() - stats.mtimeMs > UNSIGNED_AFTER_MS;
}

let own: ProcessIdentity | null = null;
function self(): ProcessIdentity {
  own ??= ownIdentity();
  return own;
}

let mark: string | null = null;
function hostMark(): string {
  mark ??= hash('sha256', hostIdentity(), 'hex').slice(0, 8);
  return mark;
}

async function writeAll(
  handle: FileHandle,
  chunks: Iterable<string | Buffer> | AsyncIterable<string | Buffer>,
): Promise<void> {
  let gathered: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    const buffer = typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : chunk;
    gathered.push(buffer);
    bytes += buffer.length;
    if (bytes < WRITE_BYTES) continue;
    await writeWhole(handle, gathered);
    gathered = [];
    bytes = 0;
  }
  if (bytes > 0) await writeWhole(handle, gathered);
}

/** `write` may take less than it was given; the rest is not an error but a second call. */
async function writeWhole(handle: FileHandle, buffers: readonly Buffer[]): Promise<void> {
  const content = Buffer.concat(buffers);
  let offset = 0;
  while (offset < content.length) {
    const { bytesWritten } = await handle.write(content, offset);
    offset += bytesWritten;
  }
}

/** Without it a power cut may bring the old name back. Some file systems cannot sync a folder: nothing to be done. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => null);
  if (folder === null) return;
  try {
    await folder.sync();
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  } finally {
    await folder.close();
  }
}

function isUnsupported(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'EINVAL' || code === 'ENOTSUP' || code === 'EPERM' || code === 'EISDIR';
}
