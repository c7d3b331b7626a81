import { type FileHandle, lstat, open } from 'node:fs/promises';
import { READ_FLAGS } from '../../platform/files/exact-file.ts';

const CHUNK_BYTES = 256 * 1024;
/** FAT keeps times to two seconds. */
const TIME_STEP_MS = 2_000;

/**
 * Whether one file is a copy of the other: regular files with the same time and the same bytes. Anything that cannot
 * be read is not. Constant memory.
 */
export async function isCopy(a: Buffer, b: Buffer): Promise<boolean> {
  const files: FileHandle[] = [];
  try {
    // Before they are opened: opening a pipe waits for whoever writes into it.
    const [statsA, statsB] = [await lstat(a), await lstat(b)];
    if (!statsA.isFile() || !statsB.isFile() || statsA.size !== statsB.size) return false;
    if (Math.abs(statsA.mtimeMs - statsB.mtimeMs) > TIME_STEP_MS) return false;
    for (const path of [a, b]) files.push(await open(path, READ_FLAGS));
    const [first, second] = files;
    if (first === undefined || second === undefined) return false;
    for (let offset = 0; offset < statsA.size; ) {
      const [left, right] = [await chunkAt(first, offset), await chunkAt(second, offset)];
      if (left.length === 0 || !left.equals(right)) return false;
      offset += left.length;
    }
    return true;
  } catch {
    return false;
  } finally {
    for (const file of files) await file.close();
  }
}

/** A full chunk unless the file ends. */
async function chunkAt(file: FileHandle, offset: number): Promise<Buffer> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let filled = 0;
  while (filled < chunk.length) {
    const { bytesRead } = await file.read(chunk, filled, chunk.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return chunk.subarray(0, filled);
}
