import { reasonOf } from '../../domain/errors.ts';
import { type CheckedMeta, checkedMeta, MAX_META_BYTES } from '../../domain/file-meta.ts';
import { type PathName, pathOnDisk } from '../../domain/path-bytes.ts';
import { openFile } from '../../platform/files/exact-file.ts';
import { realRootOf } from '../../platform/files/real-root.ts';

/** `a.pdf.meta.json` says what is attached to `a.pdf`. */
export const META_SUFFIX = '.meta.json';

/**
 * Reads what lies beside a file as its metadata.
 * @param root absolute path of the source's root
 * @returns null: nothing lies there
 */
export async function readMetaSidecar(root: string, name: PathName): Promise<CheckedMeta | null> {
  const path = Buffer.concat([Buffer.from(pathOnDisk(realRootOf(root), name)), Buffer.from(META_SUFFIX)]);
  try {
    // Never through a symlink (G9), and never waiting for whoever may write into a pipe.
    const file = await openFile(path);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) return { kind: 'bad', problem: 'is not a regular file' };
      if (stats.size > MAX_META_BYTES) {
        return { kind: 'bad', problem: `takes ${stats.size} bytes, and ${MAX_META_BYTES} is the most` };
      }
      return checkedMeta(JSON.parse((await file.readFile()).toString('utf8')));
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ENAMETOOLONG: beside a name that long nothing can lie.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return null;
    return { kind: 'bad', problem: error instanceof SyntaxError ? 'is not JSON' : reasonOf(error) };
  }
}
