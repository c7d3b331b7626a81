import { type PathName, pathOnDisk } from '../../domain/path-bytes.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { Filter } from './filter.ts';
import { listFolder } from './list-folder.ts';
import { isDataFolder } from './own-files.ts';

/**
 * Walks the folders of a tree that the filter accepts, by their names alone, and yields after each part of a folder's
 * list, and after each folder, how many entries that was: a chance to do something else. Holds the names of folders still to visit.
 */
export async function* walkFolders(options: {
  /** Absolute path. */
  readonly root: string;
  readonly filter: Filter;
  /** Told of every folder right before it is listed. */
  readonly entering: (folder: PathName) => void;
  /** Told of a folder that cannot be listed; what it throws ends the walk. */
  readonly unobservable: (folder: PathName, error: unknown) => void;
  /** Whether to read on the event loop; left out: never. */
  readonly onLoop?: () => boolean;
}): AsyncGenerator<number> {
  const { root, filter, entering, unobservable, onLoop } = options;
  const toVisit: PathName[] = [{ path: '' }];
  for (let folder = toVisit.pop(); folder !== undefined; folder = toVisit.pop()) {
    if (await isDataFolder(pathOnDisk(realRootOf(root), folder))) continue;
    entering(folder);
    try {
      for await (const listed of listFolder(root, folder, onLoop)) {
        for (const { name, kind } of listed)
          if (kind === 'directory' && filter.entry(name.path, kind) === null) toVisit.push(name);
        yield listed.length;
      }
    } catch (error) {
      unobservable(folder, error);
    }
    // One with nothing in it is work too.
    yield 0;
  }
}
