import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

/**
 * Slipway's own files as the filter wants them: relative to the root, only those inside it. Both sides are resolved
 * first, since a dataDir reached through a symlink is the same folder.
 * @param root absolute path of the source's root
 * @param paths absolute paths; those that do not exist yet count too; one that ends with `/` means a folder alone
 */
export async function ownPathsUnder(root: string, paths: readonly string[]): Promise<string[]> {
  const realRoot = await resolveExisting(root);
  const inside = new Set<string>();
  for (const path of paths) {
    const relativePath = relative(realRoot, await resolveExisting(path));
    // '' or '..': the root lies inside it, as with a dataDir that holds the inbox. That ignores nothing.
    if (relativePath === '' || isAbsolute(relativePath) || relativePath.split(sep)[0] === '..') continue;
    inside.add(relativePath.split(sep).join('/') + (path.endsWith('/') ? '/' : ''));
  }
  return [...inside];
}

/** realpath of the part that exists, the rest as given. */
async function resolveExisting(path: string): Promise<string> {
  const absolute = resolve(path);
  const found = await realpath(absolute).catch(() => null);
  if (found !== null) return found;
  const parent = dirname(absolute);
  return parent === absolute ? absolute : join(await resolveExisting(parent), basename(absolute));
}
