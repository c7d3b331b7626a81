import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const CANDIDATES = ['/dev/shm', '/run/user', '/var/tmp'];

/** A folder on another file system than the temporary one, gone when the test ends; null: none is to be had here. */
export function folderOnOtherDisk(): string | null {
  const { dev } = statSync(tmpdir());
  for (const place of CANDIDATES) {
    if ((statSync(place, { throwIfNoEntry: false })?.dev ?? dev) === dev) continue;
    try {
      const folder = mkdtempSync(join(place, 'slipway-other-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      return folder;
    } catch {
      // Not writable for this user.
    }
  }
  return null;
}
