import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { bytesOf, type PathName, pathNameOf, pathOnDisk } from '../domain/path-bytes.ts';
import type { EntryKind } from './filter.ts';

export interface FolderEntry {
  readonly name: PathName;
  readonly kind: EntryKind;
}

/** Entries per read of the folder: one round trip to the thread pool each. */
const READ_ENTRIES = 512;

const SLASH = Buffer.from('/');

/**
 * Streams one folder in the order the file system gives, with constant memory for any number of entries. Names that
 * are not UTF-8 come after the others, with their exact bytes. Throws the system's error (ENOENT, EACCES …).
 * @param folder relative to the root; `path: ''` is the root itself
 */
export async function* listFolder(root: string, folder: PathName): AsyncGenerator<FolderEntry> {
  const path = folder.path === '' ? root : pathOnDisk(root, folder);
  let lossy = folder.pathBytes !== undefined;
  if (!lossy) {
    for await (const entry of await opendir(path, { bufferSize: READ_ENTRIES })) {
      // Strings cost a third less than buffers, and nearly all names are UTF-8: the rest gets a second pass.
      if (entry.name.includes('\uFFFD')) lossy = true;
      else yield { name: childOf(folder, entry.name), kind: kindOf(entry) };
    }
  }
  if (!lossy) return;
  // The types know string names only; with this encoding they are buffers.
  for await (const entry of await opendir(path, {
    bufferSize: READ_ENTRIES,
    encoding: 'buffer' as BufferEncoding,
  })) {
    const bytes = entry.name as unknown as Buffer;
    const exact = folder.pathBytes === undefined && !bytes.toString('utf8').includes('\uFFFD');
    if (!exact) yield { name: childOfBytes(folder, bytes), kind: kindOf(entry) };
  }
}

function childOf(folder: PathName, name: string): PathName {
  return { path: folder.path === '' ? name : `${folder.path}/${name}` };
}

function childOfBytes(folder: PathName, name: Buffer): PathName {
  return pathNameOf(folder.path === '' ? name : Buffer.concat([bytesOf(folder), SLASH, name]));
}

function kindOf(entry: Dirent): EntryKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}
