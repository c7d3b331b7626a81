import { SlipwayError } from '../../domain/errors.ts';
import { folderIdentityOf, isEmptyFolder } from '../../platform/files/folder-identity.ts';
import type { RootMemory } from '../watch/root-guard.ts';

export interface BatchRootOptions {
  readonly source: string;
  /** Absolute path. */
  readonly root: string;
  /** Which folder held the files of the source the last time. */
  readonly memory: RootMemory;
  /** Identity of the folder that the batch was asked for, seen with something in it; null: not known. */
  readonly askedFor: string | null;
  /** Files were found here before and have no receipt yet: with nothing remembered, an empty folder is not theirs. */
  readonly expectsFiles: () => boolean;
  /** False: archives alone, which may lie elsewhere. */
  readonly walked: boolean;
}

/** The folder that the files of a batch lie in. An empty mount point, or a lost mount, is no empty folder. */
export interface BatchRoot {
  /** @throws SlipwayError `source_missing`, `source_unmounted` when it is not there: nothing is concluded then */
  assert(): Promise<void>;
  isPresent(): Promise<boolean>;
  /** A file was seen in it. */
  holdsFiles(): void;
}

/** Not looked at yet. */
export function createBatchRoot(options: BatchRootOptions): BatchRoot {
  const { source, root, memory, askedFor, walked } = options;
  /** Of the folder that was there the last time; null: none yet. */
  let identity: string | null = null;

  async function state(): Promise<'present' | 'source_missing' | 'source_unmounted'> {
    const found = await folderIdentityOf(root);
    if (found === null) return 'source_missing';
    if (walked && isAnother(found) && (await isEmptyFolder(root))) return 'source_unmounted';
    identity = found;
    return 'present';
  }

  function isAnother(found: string): boolean {
    const known = [memory.held(), askedFor].filter((one) => one !== null);
    return known.length === 0 ? options.expectsFiles() : !known.includes(found);
  }

  return {
    async assert() {
      const found = await state();
      if (found !== 'present') throw new SlipwayError(found, { source, path: root });
      // A batch of an older version comes without: from its first look on it is known.
      if (walked && memory.held() === null && !(await isEmptyFolder(root))) remember();
    },
    isPresent: async () => (await state()) === 'present',
    holdsFiles: remember,
  };

  /** A later process that finds an empty mount point here must know. */
  function remember(): void {
    if (identity !== null && identity !== memory.held()) memory.remember(identity);
  }
}
