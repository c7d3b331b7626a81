import { folderIdentityOf, isEmptyFolderOf } from '../platform/files/folder-identity.ts';

/** Whether a source's folder is there at all: asked before a missing file is called vanished. */
export interface RootCheck {
  present(): Promise<boolean>;
}

/** What is known of a source's folder besides what this process sees. */
export interface RootKnowledge {
  /** Identity of the folder that held its files the last time; null: nobody here knows. */
  held(): string | null;
  /** Whether whoever knows the folder sees it empty now: then its files are really gone. False also when nobody answers. */
  emptied(): Promise<boolean>;
}

/**
 * An empty folder counts as absent until it is known for the one that held the files: it may be the mount point of a
 * disk that is not mounted, and what lies on that disk is not deleted. With anything in it, it is the folder.
 * @param root absolute path
 * @param seen identity of the folder that this process has seen with something in it; null: none yet
 */
export function createRootCheck(root: string, known: RootKnowledge, seen: string | null): RootCheck {
  let full = seen;
  return {
    async present() {
      const found = await folderIdentityOf(root);
      if (found === null) return false;
      if (await isEmptyFolderOf(root, found))
        return found === full || found === known.held() || (await known.emptied());
      // Mounted or unmounted while we looked: the next try will know.
      if ((await folderIdentityOf(root)) !== found) return false;
      full = found;
      return true;
    },
  };
}
