import { bytesOf, type PathName, pathNameOf } from '../../domain/path-bytes.ts';

/** One folder and what watches it. */
export interface WatchedFolder<Watch> {
  /** Its exact name within the folder above; one that is not UTF-8 begins with NUL, then its bytes as Latin-1. */
  readonly segment: string;
  readonly parent: WatchedFolder<Watch> | null;
  /** By segment; null while there are none, as in most folders. */
  children: Map<string, WatchedFolder<Watch>> | null;
  /** null: known only as the way to those below it. */
  watch: Watch | null;
  /** Number of the scan that met it last. */
  scan: number;
}

/**
 * The watched folders of one tree, kept as a tree: paths that share their beginnings share its memory, and a folder
 * that goes takes all below it along.
 */
export interface WatchedFolders<Watch> {
  /** The place of a folder; made where it is new. */
  at(name: PathName): WatchedFolder<Watch>;
  find(path: string): WatchedFolder<Watch> | null;
  /** Forgets a folder with all below it, and says what watched them. */
  remove(folder: WatchedFolder<Watch>): Watch[];
  /** Forgets every folder that no scan has met since this one, and says what watched them. */
  sweep(scan: number): Watch[];
}

/** Holds the root alone. */
export function createWatchedFolders<Watch>(): WatchedFolders<Watch> {
  const root: WatchedFolder<Watch> = { segment: '', parent: null, children: null, watch: null, scan: 0 };

  function walk(segments: readonly string[]): WatchedFolder<Watch> | null {
    let folder: WatchedFolder<Watch> | null = root;
    for (const segment of segments) folder = folder?.children?.get(segment) ?? null;
    return folder;
  }

  function remove(folder: WatchedFolder<Watch>): Watch[] {
    const watches: Watch[] = [];
    const toClose = [folder];
    for (let next = toClose.pop(); next !== undefined; next = toClose.pop()) {
      if (next.watch !== null) watches.push(next.watch);
      next.watch = null;
      if (next.children !== null) toClose.push(...next.children.values());
      next.children = null;
    }
    folder.parent?.children?.delete(folder.segment);
    return watches;
  }

  return {
    at(name) {
      let folder = root;
      for (const segment of segmentsOf(name)) {
        folder.children ??= new Map();
        let child = folder.children.get(segment);
        if (child === undefined) {
          child = { segment, parent: folder, children: null, watch: null, scan: 0 };
          folder.children.set(segment, child);
        }
        folder = child;
      }
      return folder;
    },
    find: (path) => walk(segmentsOf({ path })),
    remove,
    sweep(scan) {
      const watches: Watch[] = [];
      const toVisit = [root];
      for (let folder = toVisit.pop(); folder !== undefined; folder = toVisit.pop()) {
        for (const child of folder.children?.values() ?? []) {
          if (child.scan < scan) watches.push(...remove(child));
          else toVisit.push(child);
        }
      }
      return watches;
    },
  };
}

/** Relative to the root, as events name it: lossy where a name is not UTF-8. */
export function pathOfWatched(folder: WatchedFolder<unknown>): string {
  const segments: string[] = [];
  for (let at = folder; at.parent !== null; at = at.parent) {
    const { segment } = at;
    segments.push(
      segment.startsWith('\0') ? Buffer.from(segment.slice(1), 'latin1').toString('utf8') : segment,
    );
  }
  return segments.reverse().join('/');
}

function segmentsOf(name: PathName): string[] {
  if (name.path === '') return [];
  if (name.pathBytes === undefined) return name.path.split('/');
  return bytesOf(name)
    .toString('latin1')
    .split('/')
    .map((latin1) => {
      // A folder above with a proper name is the same folder, whoever names it.
      const { path, pathBytes } = pathNameOf(Buffer.from(latin1, 'latin1'));
      return pathBytes === undefined ? path : `\0${latin1}`;
    });
}
