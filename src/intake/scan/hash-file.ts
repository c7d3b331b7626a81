import { createHash } from 'node:crypto';
import { pathOnDisk } from '../../domain/path-bytes.ts';
import { lstatFile, openFile } from '../../platform/files/exact-file.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import { isSameFile, type SeenFile, seenFileOf } from './seen-file.ts';

const CHUNK_BYTES = 256 * 1024;

/** `changed`: it is not the file that was seen, before or after it was read. */
export type HashedFile =
  | { readonly kind: 'hashed'; readonly sha256: string }
  | { readonly kind: 'changed' }
  | { readonly kind: 'unreadable'; readonly error: unknown };

/** SHA-256 (hex) of a file that has been seen. Constant memory; throws only what the signal gives. */
export async function hashFile(root: string, file: SeenFile, signal: AbortSignal): Promise<HashedFile> {
  const path = pathOnDisk(realRootOf(root), file.name);
  try {
    const handle = await openFile(path);
    try {
      const before = await handle.stat({ bigint: true });
      if (!before.isFile() || !isSameFile(seenFileOf(file.name, before), file)) return { kind: 'changed' };
      const hash = createHash('sha256');
      const chunk = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK_BYTES, file.size)));
      let left = file.size;
      while (left > 0) {
        signal.throwIfAborted();
        const { bytesRead } = await handle.read(chunk, 0, Math.min(chunk.length, left), null);
        if (bytesRead === 0) return { kind: 'changed' };
        hash.update(chunk.subarray(0, bytesRead));
        left -= bytesRead;
      }
      const after = await lstatFile(path);
      const isStill = after.isFile() && isSameFile(seenFileOf(file.name, after), file);
      return isStill ? { kind: 'hashed', sha256: hash.digest('hex') } : { kind: 'changed' };
    } finally {
      await handle.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'ENOENT' || code === 'ENOTDIR' ? { kind: 'changed' } : { kind: 'unreadable', error };
  }
}
