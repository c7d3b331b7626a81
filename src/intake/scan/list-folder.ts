import { type Dir, type Dirent, opendirSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { bytesOf, type PathName, pathNameOf, pathOnDisk } from '../../domain/path-bytes.ts';
import { inFolder, inFolderSync } from '../../platform/files/exact-folder.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { EntryKind } from './filter.ts';

export interface FolderEntry {
  readonly name: PathName;
  readonly kind: EntryKind;
}

/** Entries per read of the folder: one round trip to the thread pool each. */
const READ_ENTRIES = 512;

const SLASH = Buffer.from('/');

/**
 * Streams one folder, some entries at a time in the order the file system gives, with constant memory for any number of
 * them. Names that are not UTF-8 come after the others, with their exact bytes. Throws the system's error (ENOENT,
 * EACCES …); a folder that is reached over a link is none (ENOTDIR).
 * @param folder relative to the root; `path: ''` is the root itself
 * @param onLoop whether to read on the event loop: on a local disk that costs a third of the thread pool's way
 */
export async function* listFolder(
  root: string,
  folder: PathName,
  onLoop: () => boolean = () => false,
): AsyncGenerator<readonly FolderEntry[]> {
  const real = realRootOf(root);
  const path = folder.path === '' ? real : pathOnDisk(real, folder);
  let lossy = folder.pathBytes !== undefined;
  if (!lossy) {
    for await (const entries of readFolder(path, onLoop)) {
      const found: FolderEntry[] = [];
      for (const entry of entries) {
        // Strings cost a third less than buffers, and nearly all names are UTF-8: the rest gets a second pass.
        if (entry.name.includes('\uFFFD')) lossy = true;
        else found.push({ name: childOf(folder, entry.name), kind: kindOf(entry) });
      }
      yield found;
    }
  }
  if (!lossy) return;
  // The types know string names only; with this encoding they are buffers.
  for await (const entries of readFolder(path, onLoop, 'buffer' as BufferEncoding)) {
    const found: FolderEntry[] = [];
    for (const entry of entries) {
      const bytes = entry.name as unknown as Buffer;
      const exact = folder.pathBytes === undefined && !bytes.toString('utf8').includes('\uFFFD');
      if (!exact) found.push({ name: childOfBytes(folder, bytes), kind: kindOf(entry) });
    }
    yield found;
  }
}

async function* readFolder(
  path: string | Buffer,
  onLoop: () => boolean,
  encoding: BufferEncoding = 'utf8',
): AsyncGenerator<readonly Dirent[]> {
  const options = { bufferSize: READ_ENTRIES, encoding };
  const dir: Dir = onLoop()
    ? inFolderSync(path, (at) => opendirSync(at.toString(), options))
    : await inFolder(path, (at) => opendir(at, options));
  try {
    for (let ended = false; !ended; ) {
      const entries: Dirent[] = [];
      while (entries.length < READ_ENTRIES) {
        // Of every so many only the first asks the system; the others are in the buffer.
        const entry = onLoop() ? dir.readSync() : await dir.read();
        ended = entry === null;
        if (entry === null) break;
        entries.push(entry);
      }
      if (entries.length > 0) yield entries;
    }
  } finally {
    dir.closeSync();
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
