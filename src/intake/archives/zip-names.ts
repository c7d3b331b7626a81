import { isAscii, isUtf8 } from 'node:buffer';
import { type Entry, getFileNameLowLevel } from 'yauzl';
import type { ZipNames } from '../../domain/batch-source.ts';
import { type PathName, pathNameOf } from '../../domain/path-bytes.ts';

/** General purpose bit 11: the name is UTF-8 (APPNOTE 4.4.4). */
const UTF8_FLAG = 0x800;
/** A first byte of three or more of UTF-8. */
const FIRST_OF_THREE = 0xe0;
const INFO_ZIP_UNICODE_PATH = 0x7075;
/** Upper byte of `version made by` (APPNOTE 4.4.2): MS-DOS, OS/2, NTFS, VFAT, whose separator is the backslash. */
const BACKSLASH_SYSTEMS: ReadonlySet<number> = new Set([0, 6, 10, 14]);

const decoders = new Map<string, InstanceType<typeof TextDecoder>>();

/**
 * The name of an entry, its folders separated by `/`.
 * @param names for those that do not say it; null: all of this archive do
 */
export function zipName(entry: Entry, names: ZipNames | null): PathName {
  const name = decodedName(entry, names);
  // PowerShell 5 and old .NET write `docs\a.txt`: with a slash beside it the backslash is no separator.
  const isWindows = BACKSLASH_SYSTEMS.has(entry.versionMadeBy >>> 8);
  if (!isWindows || name.pathBytes !== undefined || name.path.includes('/')) return name;
  return { path: name.path.replaceAll('\\', '/') };
}

/** The bytes of a name that do not say by themselves how they are to be read; null: they do. */
export function undecidedName(entry: Entry): Buffer | null {
  const { fileNameRaw } = entry;
  if (isAscii(fileNameRaw) || isUtf8(fileNameRaw)) return null;
  return isSaidUtf8(entry) || unicodePathOf(entry) !== null ? null : fileNameRaw;
}

/** UTF-8 where the entry says so (bytes that are not are kept exactly) or its bytes are, else as it was asked for. */
function decodedName(entry: Entry, names: ZipNames | null): PathName {
  const unicodePath = unicodePathOf(entry);
  if (unicodePath !== null) return { path: unicodePath };
  const raw = entry.fileNameRaw;
  const isOpen = undecidedName(entry) !== null || isUtf8ByChance(entry, names);
  const path = isOpen && names !== null && names !== 'utf-8' ? decoded(raw, names) : null;
  return path === null ? pathNameOf(raw) : { path };
}

/**
 * Two bytes of GBK or EUC-KR are UTF-8 often enough (three hardly ever): where the rest of an archive is in such an
 * encoding, so are these.
 */
function isUtf8ByChance(entry: Entry, names: ZipNames | null): boolean {
  if (names === null || names === 'utf-8' || names === 'cp437' || isSaidUtf8(entry)) return false;
  return !isAscii(entry.fileNameRaw) && entry.fileNameRaw.every((byte) => byte < FIRST_OF_THREE);
}

/** null: they are not of that encoding. */
export function decoded(bytes: Buffer, names: ZipNames): string | null {
  if (names === 'cp437') return getFileNameLowLevel(0, bytes, [], true);
  const decoder = decoders.get(names) ?? new TextDecoder(names, { fatal: true });
  decoders.set(names, decoder);
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

function isSaidUtf8({ generalPurposeBitFlag }: Entry): boolean {
  return (generalPurposeBitFlag & UTF8_FLAG) !== 0;
}

/** The name that Info-ZIP keeps beside one of another encoding, where it belongs to it; null: none. */
function unicodePathOf({ extraFields, fileNameRaw }: Entry): string | null {
  const fields = extraFields.filter(({ id }) => id === INFO_ZIP_UNICODE_PATH);
  if (fields.length === 0) return null;
  // Without the flag it is cp437 unless the field holds: what differs is the field's.
  const path = getFileNameLowLevel(0, fileNameRaw, fields, true);
  return path === getFileNameLowLevel(0, fileNameRaw, [], true) ? null : path;
}
