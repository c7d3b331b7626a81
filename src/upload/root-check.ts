import { folderIdentityOf, isEmptyFolder } from '../platform/folder-identity.ts';

/** Whether a source's folder is there at all: asked before a missing file is called vanished. */
export interface RootCheck {
  present(): Promise<boolean>;
}

/**
 * Another folder than the one expected that is empty counts as absent: it is the mount point of a disk that is not
 * mounted, and what lay on that disk is not deleted. With anything in it, it is the new folder.
 * @param root absolute path
 * @param expected identity of the folder that holds the files; null where nobody knows
 */
export function createRootCheck(root: string, expected: string | null): RootCheck {
  let known = expected;
  return {
    async present() {
      const found = await folderIdentityOf(root);
      if (found === null) return false;
      if (known !== null && found !== known && (await isEmptyFolder(root))) return false;
      known = found;
      return true;
    },
  };
}
