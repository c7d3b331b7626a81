import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let permitted: boolean | null = null;

/** Whether this user may mount file systems; a test that needs one skips where not. */
export function mayMount(): boolean {
  if (permitted !== null) return permitted;
  const folder = mkdtempSync(join(tmpdir(), 'slipway-mount-'));
  try {
    mountTmpfs(folder);
    unmount(folder);
    permitted = true;
  } catch {
    permitted = false;
  }
  rmdirSync(folder);
  return permitted;
}

/** An empty file system in memory over an existing folder. */
export function mountTmpfs(folder: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'slipway-test', folder], { stdio: 'ignore' });
}

/** The same files at a second place: unmounted and mounted again they are as before. */
export function mountBind(from: string, folder: string): void {
  execFileSync('mount', ['--bind', from, folder], { stdio: 'ignore' });
}

/** At once, also while somebody has it open, as when a disk is pulled. */
export function unmount(folder: string): void {
  execFileSync('umount', ['-l', folder], { stdio: 'ignore' });
}
