import { stat } from 'node:fs/promises';
import { type Entry, getFileNameLowLevel, openPromise, type ZipFile } from 'yauzl';
import { type PathName, pathNameOf } from '../../domain/path-bytes.ts';
import { type ArchiveEntry, entryTimeNs, type Refusal } from './archive-entry.ts';
import { bombIn, createBombWatch } from './bomb-limits.ts';
import { judgeEntryName } from './entry-name.ts';

/** General purpose bit 11: the name is UTF-8 (APPNOTE 4.4.4). */
const UTF8_FLAG = 0x800;
const INFO_ZIP_UNICODE_PATH = 0x7075;
/** Upper byte of `version made by` (APPNOTE 4.4.2) whose external attributes are st_mode: Unix and OS X. */
const UNIX_SYSTEMS: ReadonlySet<number> = new Set([3, 19]);
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;

/**
 * The files of a .zip, zip64 included, in the order of its central directory; one is in memory at a time. Throws what
 * is wrong with the archive as a whole; what is wrong with one entry is said of that entry.
 */
export async function* zipEntries(path: string): AsyncGenerator<ArchiveEntry> {
  const { size } = await stat(path);
  // Names are judged here, one by one, and sizes while an entry is read: yauzl would give up the whole archive.
  const zip = await openPromise(path, {
    lazyEntries: true,
    autoClose: false,
    decodeStrings: false,
    validateEntrySizes: false,
  });
  const watch = createBombWatch(size);
  try {
    for await (const entry of zip.eachEntry()) {
      const found = entryOf(zip, entry);
      if (found === null) continue;
      if (found.kind === 'file') {
        const bomb = watch.entry(found.size);
        if (bomb !== null) throw new Error(`${bomb}: a zip bomb`);
      }
      yield found;
    }
  } finally {
    zip.close();
  }
}

function entryOf(zip: ZipFile, entry: Entry): ArchiveEntry | null {
  const raw = nameOf(entry);
  const verdict = judgeEntryName(raw);
  if (verdict.kind === 'folder') return null;
  const options = {
    name: verdict.name,
    size: entry.uncompressedSize,
    // Without an extended time stamp a zip says local time of nobody knows where: UTC, so that it is the same for all.
    mtimeNs: entryTimeNs(entry.getLastModDate({ timezone: 'UTC' })),
  };
  const refusal =
    verdict.kind === 'refused'
      ? ({ code: 'archive_entry_refused', details: { why: verdict.why } } as const)
      : refusalOf(entry);
  if (refusal !== null) return { kind: 'refused', ...options, refusal };
  return { kind: 'file', ...options, crc32: entry.crc32, open: () => zip.openReadStreamPromise(entry) };
}

function refusalOf(entry: Entry): Refusal | null {
  const type = UNIX_SYSTEMS.has(entry.versionMadeBy >>> 8)
    ? (entry.externalFileAttributes >>> 16) & S_IFMT
    : 0;
  if (type === S_IFLNK) return { code: 'archive_entry_refused', details: { why: 'it is a symbolic link' } };
  if (type !== 0 && type !== S_IFREG && type !== S_IFDIR)
    return { code: 'archive_entry_refused', details: { why: 'it is neither a file nor a folder' } };
  if (entry.isEncrypted()) return { code: 'archive_entry_encrypted', details: {} };
  if (!entry.canDecodeFileData()) {
    const reason = `it is packed by method ${entry.compressionMethod}; stored and deflated can be read`;
    return { code: 'archive_entry_broken', details: { reason } };
  }
  const bomb = bombIn(entry.compressedSize, entry.uncompressedSize);
  return bomb === null ? null : { code: 'archive_bomb', details: { why: bomb } };
}

/** UTF-8 where the entry says so (bytes that are not are kept exactly), else cp437, as the format has it. */
function nameOf(entry: Entry): PathName {
  const raw = entry.fileNameRaw;
  const hasUnicodePath = entry.extraFields.some(({ id }) => id === INFO_ZIP_UNICODE_PATH);
  if ((entry.generalPurposeBitFlag & UTF8_FLAG) !== 0 && !hasUnicodePath) return pathNameOf(raw);
  return { path: getFileNameLowLevel(entry.generalPurposeBitFlag, raw, entry.extraFields, true) };
}
