import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/**
 * The folders that the configuration names, with the links of their own paths resolved: once, when this process meets
 * them first. A folder that is moved away later, with a link left in its place, is not followed there (G9).
 */
const resolved = new Map<string, string>();

/**
 * The real path of a configured folder. One that is not there yet is resolved as far as it goes, and again when asked
 * next. Throws nothing.
 */
export function realRootOf(folder: string): string {
  const known = resolved.get(folder);
  if (known !== undefined) return known;
  const real = realPathOf(folder);
  if (real === null) return beginningResolved(folder);
  resolved.set(folder, real);
  return real;
}

/** The same for a folder that is ours to make: what its path leads to now holds, whether it is there or not. */
export function settleRealRoot(folder: string): void {
  if (!resolved.has(folder)) resolved.set(folder, beginningResolved(folder));
}

/** The real path of the part that exists, the rest as given. */
function beginningResolved(folder: string): string {
  const absolute = resolve(folder);
  const parent = dirname(absolute);
  return (
    realPathOf(absolute) ??
    (parent === absolute ? absolute : join(beginningResolved(parent), basename(absolute)))
  );
}

function realPathOf(path: string): string | null {
  try {
    return realpathSync.native(path);
  } catch {
    return null;
  }
}
