import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface TinyDisk {
  readonly path: string;
  /** Makes room, as a person would who deletes something. */
  grow(megabytes: number): void;
}

/**
 * A real disk of a few megabytes below a folder, unmounted when the test ends. null where the right to mount is not to
 * be had (it takes root on Linux): skip the test then.
 */
export function tinyDisk(folder: string, megabytes: number): TinyDisk | null {
  const path = join(folder, 'disk');
  mkdirSync(path, { recursive: true });
  const mount = (...args: string[]) => spawnSync('mount', [...args, path]).status === 0;
  if (!mount('-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs')) return null;
  onTestFinished(() => void spawnSync('umount', ['-l', path]));
  return {
    path,
    grow(next) {
      if (!mount('-o', `remount,size=${next}m`)) throw new Error('the disk cannot be made larger');
    },
  };
}
