import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisPlace } from './embedded-redis-place.ts';

/** Redis 7 keeps its append-only file as a folder, Redis 6.2 as one file. */
const KEPT_AS = ['appendonlydir', 'appendonly.aof'];

/** What a server says that ends because of its append-only file; a torn end alone it mends by itself. */
const OF_THE_FILE = /append.?only file|\bAOF\b/i;

/**
 * Moves an append-only file away that a server could not read. What it held is queued again: Redis holds only what is not
 * recorded yet, and of that ledger and disk know everything.
 * @param reason the server's last words
 * @returns where it lies now; null: it is not to blame, or not there
 */
export function setAsideBrokenFile(place: RedisPlace, reason: string, nowMs: number): string | null {
  if (!OF_THE_FILE.test(reason)) return null;
  const name = KEPT_AS.find((known) => existsSync(join(place.folder, known)));
  if (name === undefined) return null;
  const aside = join(place.folder, `${name}.broken-${nowMs}`);
  renameSync(join(place.folder, name), aside);
  return aside;
}
