import { type BigIntStats, lstat } from 'node:fs';
import { type PathName, pathOnDisk } from '../domain/path-bytes.ts';
import type { EntryKind } from './filter.ts';
import { type SeenFile, seenFileOf } from './seen-file.ts';

/** What one lstat found. `unobservable` is never taken for gone. */
export type Look =
  | { readonly kind: 'file'; readonly file: SeenFile }
  | { readonly kind: Exclude<EntryKind, 'file'> }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unobservable'; readonly error: unknown };

/** The thread pool is shared with the uploads' reads: more in flight would keep those waiting on a slow disk. */
const IN_FLIGHT = 16;

/** Looks at many names at once, answers in their order; throws nothing. */
export async function lookAt(root: string, names: readonly PathName[]): Promise<Look[]> {
  const looks = new Array<Look>(names.length);
  let next = 0;
  await new Promise<void>((resolve) => {
    let running = 0;
    const proceed = (): void => {
      if (next === names.length && running === 0) resolve();
      while (running < IN_FLIGHT && next < names.length) {
        const index = next++;
        const name = names[index];
        if (name === undefined) continue;
        running += 1;
        lookAtOne(root, name, (look) => {
          looks[index] = look;
          running -= 1;
          proceed();
        });
      }
    };
    proceed();
  });
  return looks;
}

/** The callback form costs 40 % less than the promise form, and this runs once per file and scan. */
function lookAtOne(root: string, name: PathName, done: (look: Look) => void): void {
  const path = name.path === '' ? root : pathOnDisk(root, name);
  lstat(path, { bigint: true }, (error, stats) => {
    if (error === null) done(lookOf(name, stats));
    else done(isGone(error) ? { kind: 'gone' } : { kind: 'unobservable', error });
  });
}

function lookOf(name: PathName, stats: BigIntStats): Look {
  if (stats.isFile()) return { kind: 'file', file: seenFileOf(name, stats) };
  if (stats.isDirectory()) return { kind: 'directory' };
  return { kind: stats.isSymbolicLink() ? 'symlink' : 'other' };
}

/** ENOTDIR: a folder on the way became a file. */
export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
