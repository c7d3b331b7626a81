import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reasonOf } from '../../domain/errors.ts';
import { formatBytes } from '../../platform/units.ts';
import { type Finding, ok, problem, warning } from './doctor-finding.ts';

/** A private Redis rewrites its file, a snapshot replaces itself: both need room for a second copy. */
const SHORT_BYTES = 512 * 1024 * 1024;
const NONE_BYTES = 16 * 1024 * 1024;

/**
 * Room and permission where receipts and state are written.
 * @param folders absolute paths; those that do not exist yet are made later, in what exists above them
 */
export async function examineDisks(folders: readonly string[]): Promise<Finding[]> {
  const existing = new Set(await Promise.all(folders.map(existingAbove)));
  return await Promise.all([...existing].map(examineDisk));
}

async function existingAbove(path: string): Promise<string> {
  const stats = await stat(path).catch(() => null);
  const parent = dirname(path);
  return stats !== null || parent === path ? path : await existingAbove(parent);
}

async function examineDisk(folder: string): Promise<Finding> {
  const about = { check: 'disk', subject: folder } as const;
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const size = formatBytes(free);
    if (free < NONE_BYTES)
      return problem(about, null, `only ${size} are free: make room, or recording pauses`);
    if (free < SHORT_BYTES)
      return warning(about, `only ${size} are free: make room before recording has to pause`);
    return ok(about, `${size} free`);
  } catch (error) {
    return problem(
      about,
      error,
      `cannot be written (${reasonOf(error)}): give the user that runs Slipway permission`,
    );
  }
}
