import { createReadStream } from 'node:fs';
import { pipeline, Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { type PathName, pathNameOf } from '../../domain/path-bytes.ts';
import { entryTimeNs, type FileEntry, type RefusedEntry } from './archive-entry.ts';
import type { ArchiveKind } from './archive-kind.ts';
import { bombIn, createBombWatch } from './bomb-limits.ts';
import { judgeEntryName } from './entry-name.ts';

export type TarKind = Exclude<ArchiveKind, 'zip'>;

const READ_BYTES = 256 * 1024;

/**
 * The files of a .tar, plain or compressed, in its order. It is read from front to back, whatever is taken: an entry
 * that is not opened is passed over. Throws what is wrong with the archive as a whole.
 */
export async function* tarEntries(path: string, kind: TarKind): AsyncGenerator<FileEntry | RefusedEntry> {
  const archive = createReadStream(path, { highWaterMark: READ_BYTES });
  // Latin-1 keeps the bytes of a name; checksums tell a header from noise, so an old format without a mark will do.
  const untar = extract({ filenameEncoding: 'latin1', allowUnknownFormat: true } as object);
  // To Node's pipeline it is one of its own streams.
  const into = untar as unknown as NodeJS.WritableStream;
  let failure: Error | null = null;
  const failed = (error: Error | null | undefined): void => {
    failure ??= error ?? null;
  };
  if (kind !== 'tar') {
    const unpack = kind === 'tar.gz' ? createGunzip : createZstdDecompress;
    pipeline(
      archive,
      unpack({ chunkSize: READ_BYTES }),
      bombGuard(() => archive.bytesRead),
      into,
      failed,
    );
  } else pipeline(archive, into, failed);
  const watch = createBombWatch(Number.POSITIVE_INFINITY);
  try {
    for await (const entry of untar) {
      // One reader for whoever takes it and for what is left: ending it early would end the whole archive.
      const chunks = (entry as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
      const found = entryOf(entry.header, chunks);
      if (found !== null) {
        const bomb = watch.entry(found.size);
        if (bomb !== null) throw new Error(bomb);
        yield found;
      }
      while ((await chunks.next()).done !== true);
    }
  } catch (error) {
    // The first thing that went wrong, not what followed from it.
    throw failure ?? error;
  } finally {
    archive.destroy();
    untar.destroy();
  }
  if (failure !== null) throw failure;
}

async function* unlessEnded(chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
}

/** Ends a stream that unpacks to far more than went in. */
function bombGuard(packedBytes: () => number): Transform {
  let unpacked = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      unpacked += chunk.length;
      const bomb = bombIn(packedBytes(), unpacked);
      if (bomb === null) done(null, chunk);
      else done(new Error(`${bomb}: a compression bomb`));
    },
  });
}

const LINKS: Readonly<Record<string, string>> = {
  symlink: 'it is a symbolic link',
  link: 'it is a hard link',
  'character-device': 'it is a device',
  'block-device': 'it is a device',
  fifo: 'it is a pipe',
};

function entryOf(header: Header, chunks: AsyncIterator<Buffer>): FileEntry | RefusedEntry | null {
  const { type } = header;
  if (type === 'directory') return null;
  const raw = nameOf(header);
  const verdict = judgeEntryName(raw);
  const isFile = type === 'file' || type === 'contiguous-file';
  if (verdict.kind === 'folder') return null;
  const facts = {
    name: verdict.name,
    size: isFile ? (header.size ?? 0) : 0,
    mtimeNs: entryTimeNs(header.mtime),
  };
  const why =
    verdict.kind === 'refused'
      ? verdict.why
      : isFile
        ? null
        : (LINKS[type ?? ''] ?? 'it is neither a file nor a folder');
  if (why !== null)
    return { kind: 'refused', ...facts, refusal: { code: 'archive_entry_refused', details: { why } } };
  return { kind: 'file', ...facts, crc32: null, open: async () => unlessEnded(chunks) };
}

/** PAX names are UTF-8 and decoded already; all others are bytes. */
function nameOf({ name, pax }: Header): PathName {
  const hasPaxPath = typeof pax === 'object' && pax !== null && 'path' in pax;
  return hasPaxPath ? { path: name } : pathNameOf(Buffer.from(name, 'latin1'));
}
