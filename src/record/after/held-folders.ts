import type { Intent } from '../../ledger/intent.ts';
import { type ExactFolder, openFolder, type Path } from '../../platform/files/exact-folder.ts';
import { pathsOf, putBack } from './set-aside.ts';

/**
 * The folders of the files in hand, each held open from the first look at a file until the last act on it: whatever
 * takes a folder's place meanwhile is not touched.
 */
export interface HeldFolders {
  /** What to put before `/name` there; null: it is `missing`, or reached over a link now (`linked`). */
  of(intent: Intent): Promise<{ readonly at: Path } | 'missing' | 'linked'>;
  /** Asked right before an act: whether its folder's path still leads to what is held. */
  isInPlace(intent: Intent): Promise<boolean>;
  /** Gives a file that is aside its name back, also in a folder that was moved away meanwhile. */
  putBack(intent: Intent): Promise<void>;
  close(): Promise<void>;
}

type Held = ExactFolder | 'missing' | 'linked';

/** None held yet. */
export function createHeldFolders(): HeldFolders {
  const held = new Map<string, Promise<Held>>();

  function holding(intent: Intent): Promise<Held> {
    const { folder } = pathsOf(intent);
    const key = folder.toString('latin1');
    const found = held.get(key) ?? hold(folder);
    held.set(key, found);
    return found;
  }

  return {
    of: holding,
    async isInPlace(intent) {
      const folder = await holding(intent);
      return typeof folder !== 'string' && (await folder.isInPlace());
    },
    async putBack(intent) {
      const folder = await holding(intent);
      if (typeof folder !== 'string' && (folder.isHeld || (await folder.isInPlace())))
        await putBack(intent, folder.at);
    },
    async close() {
      for (const folder of await Promise.allSettled(held.values()))
        if (folder.status === 'fulfilled' && typeof folder.value !== 'string') await folder.value.close();
    },
  };
}

async function hold(folder: Buffer): Promise<Held> {
  try {
    return await openFolder(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return 'missing';
    if (code === 'ENOTDIR') return 'linked';
    throw error;
  }
}
