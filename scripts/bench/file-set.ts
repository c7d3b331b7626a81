import { randomFillSync } from 'node:crypto';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes so many files of so many random bytes each, all in one folder. */
export function makeFiles(folder: string, count: number, bytes: number, ending = '.bin'): void {
  mkdirSync(folder, { recursive: true });
  const content = Buffer.alloc(bytes);
  for (let index = 0; index < count; index += 1) {
    randomFillSync(content);
    writeFileSync(join(folder, `document-${String(index).padStart(6, '0')}${ending}`), content);
  }
}

/** One file that takes no room on disk: its bytes are zeros, which nobody on the way knows. */
export function makeLargeFile(folder: string, bytes: number): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'large.bin');
  writeFileSync(path, '');
  truncateSync(path, bytes);
  return path;
}
