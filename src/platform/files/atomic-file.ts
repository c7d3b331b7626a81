import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

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

/** Unique per write. It does not hold the target's name, which may already be as long as a name can be. */
function temporaryName(): string {
  return `${TEMPORARY_PREFIX}${randomBytes(9).toString('hex')}.tmp`;
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
