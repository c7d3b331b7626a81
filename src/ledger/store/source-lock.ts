import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { lockHolder, tryProcessLock } from '../../platform/process/process-lock.ts';
import { sourceFolder } from './data-dir.ts';

/**
 * The right to write what is kept of a source: one process at a time, Redis or no Redis. Beside the lease in Redis it
 * covers what works without a queue: rebuild, compact, import. A dead process never keeps it, a stopped one does: nobody
 * of this host takes over while it lives (rule kernel).
 * @returns gives it back
 * @throws SlipwayError `source_owned` with the pid that has it, `data_dir`
 */
export function lockSource(dataDir: string, source: string): () => void {
  const folder = sourceFolder(dataDir, source);
  // Its links need a privilege there; the lease in Redis has to do.
  if (process.platform === 'win32') return () => undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const attempt = tryProcessLock(folder);
    if (attempt.kind === 'taken') return attempt.release;
    throw new SlipwayError('source_owned', { source, pid: attempt.pid, host: hostname() });
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    throw new SlipwayError('data_dir', { path: dataDir, reason: reasonOf(error) }, { cause: error });
  }
}

/** Pid of the process that works on a source of this data folder; null when none does. */
export function ownerOf(dataDir: string, source: string): number | null {
  return lockHolder(sourceFolder(dataDir, source));
}
