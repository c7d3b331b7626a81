import { stat } from 'node:fs/promises';
import { SlipwayError } from '../../domain/errors.ts';
import { whyForbidden } from '../../platform/files/folder-access.ts';

/** Why a folder cannot be the root of a source whose files are to be found; null: it can. */
export async function rootProblem(source: string, path: string): Promise<SlipwayError | null> {
  const reason = await whyForbidden(path);
  if (reason !== null) return new SlipwayError('source_forbidden', { source, path, reason });
  const stats = await stat(path).catch(() => null);
  if (stats === null) return new SlipwayError('source_missing', { source, path });
  return stats.isDirectory() ? null : new SlipwayError('source_not_folder', { source, path });
}
