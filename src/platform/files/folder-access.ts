import { access, constants, opendir, stat } from 'node:fs/promises';

/**
 * Why this process may not list and enter a folder, in words, with the uid that it runs as; null: it may, or something
 * else keeps it from it.
 */
export async function whyForbidden(path: string): Promise<string | null> {
  try {
    await (await opendir(path)).close();
    await access(path, constants.X_OK);
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EACCES' || code === 'EPERM' ? await inWords(path) : null;
  }
}

async function inWords(path: string): Promise<string> {
  const own = `uid ${process.getuid?.() ?? 'unknown'}`;
  const stats = await stat(path).catch(() => null);
  if (stats === null) return `${own} may not enter a folder above it`;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  return `it belongs to uid ${stats.uid} with mode ${mode}, and this is ${own}`;
}
