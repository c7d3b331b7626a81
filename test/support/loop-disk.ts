import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk of its own in a file: what is mounted again is the same folder, with the same identity. */
export interface LoopDisk {
  mount(folder: string): void;
  unmount(): void;
  remove(): void;
}

function runs(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args).status === 0;
}

/** Null where this system does not let us: it takes root, mkfs.ext4 and a loop device. */
export function makeLoopDisk(): LoopDisk | null {
  const place = mkdtempSync(join(tmpdir(), 'slipway-disk-'));
  const image = join(place, 'image');
  writeFileSync(image, Buffer.alloc(8 * 1024 * 1024));
  let mounted: string | null = null;
  const disk: LoopDisk = {
    mount(folder) {
      mkdirSync(folder, { recursive: true });
      if (!runs('mount', ['-o', 'loop', image, folder])) throw new Error('the disk cannot be mounted');
      mounted = folder;
    },
    unmount() {
      if (mounted !== null && !runs('umount', [mounted])) throw new Error('the disk cannot be unmounted');
      mounted = null;
    },
    remove() {
      disk.unmount();
      rmSync(place, { recursive: true, force: true });
    },
  };
  try {
    if (!runs('mkfs.ext4', ['-q', image])) throw new Error('no file system');
    disk.mount(join(place, 'trial'));
    disk.unmount();
    return disk;
  } catch {
    disk.remove();
    return null;
  }
}
