import type { PathName } from '../domain/path-bytes.ts';
import type { Filter } from './filter.ts';
import { listFolder } from './list-folder.ts';

/**
 * Whether a tree holds more than so many files that count. Reads names alone, streamed, and ends early: past the
 * limit, or past the time, for a tree that takes long to list is large enough.
 */
export async function holdsMoreThan(
  limitFiles: number,
  options: {
    readonly root: string;
    readonly filter: Filter;
    readonly budgetMs: number;
    readonly monotonicMs: () => number;
  },
): Promise<boolean> {
  const { root, filter, budgetMs, monotonicMs } = options;
  const untilMs = monotonicMs() + budgetMs;
  const toVisit: PathName[] = [{ path: '' }];
  let files = 0;
  for (let folder = toVisit.pop(); folder !== undefined; folder = toVisit.pop()) {
    try {
      for await (const listed of listFolder(root, folder)) {
        for (const { name, kind } of listed) {
          if (filter.entry(name.path, kind) !== null) continue;
          if (kind === 'directory') toVisit.push(name);
          else files += 1;
        }
        if (files > limitFiles || monotonicMs() > untilMs) return true;
      }
    } catch {
      // Gone, or not to be read: the scan will say so.
    }
  }
  return files > limitFiles;
}
