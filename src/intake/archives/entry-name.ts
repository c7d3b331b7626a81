import { bytesOf, type PathName, pathNameOf } from '../../domain/path-bytes.ts';
import { hasArchiveName } from './archive-kind.ts';

export type NameVerdict =
  | { readonly kind: 'file'; readonly name: PathName }
  | { readonly kind: 'folder' }
  /** `name` is harmless: what is wrong in it is written as `%2E%2E`, `%2F`, `%5C` or `%00`. */
  | { readonly kind: 'refused'; readonly name: PathName; readonly why: string };

const DRIVE = /^[A-Za-z]:\//;
/** PATH_MAX of Linux; what is longer is an attack, or of no use to anyone. */
const MAX_BYTES = 4096;

/**
 * Whether an entry's name may become part of a path (zip-slip, CWE-22). Nothing is ever unpacked under it, but receipts
 * carry it into other people's programs. `./` and doubled slashes are taken out; everything else is kept as it is.
 */
export function judgeEntryName(raw: PathName): NameVerdict {
  const { path } = raw;
  const refused = (why: string): NameVerdict => ({ kind: 'refused', name: harmless(path), why });
  if (path.includes('\0')) return refused('its name holds a NUL');
  if (path.includes('\\')) return refused('its name holds a backslash, which some systems take for a folder');
  if (path.startsWith('/') || DRIVE.test(path)) return refused('its name is an absolute path');
  const parts = path.split('/');
  if (parts.includes('..')) return refused('its name leads out of the archive (..)');
  const kept = parts.filter((part) => part !== '' && part !== '.');
  if (path.endsWith('/') || kept.length === 0) return { kind: 'folder' };
  const name = raw.pathBytes === undefined ? { path: kept.join('/') } : withoutEmpty(bytesOf(raw));
  return bytesOf(name).length > MAX_BYTES
    ? refused(`its name is longer than ${MAX_BYTES} bytes`)
    : { kind: 'file', name };
}

const MAX_REFUSED_CHARS = 500;

/** For a receipt, which other programs may take for a path. */
function harmless(path: string): PathName {
  const parts = path.slice(0, MAX_REFUSED_CHARS).replaceAll('\\', '%5C').replaceAll('\0', '%00').split('/');
  const kept = parts.map((part) => (/^\.+$/.test(part) ? part.replaceAll('.', '%2E') : part));
  const whole = kept.filter((part, index) => part !== '' || index === 0).join('/');
  return { path: whole.startsWith('/') ? `%2F${whole.slice(1)}` : whole };
}

/** The same on the bytes of a name that is not UTF-8: latin1 keeps every one of them. */
function withoutEmpty(bytes: Buffer): PathName {
  const parts = bytes.toString('latin1').split('/');
  return pathNameOf(Buffer.from(parts.filter((part) => part !== '' && part !== '.').join('/'), 'latin1'));
}

/** `archive.zip!/dir/name` (contract §4). */
export function pathInArchive(archive: PathName, entry: PathName): PathName {
  if (archive.pathBytes === undefined && entry.pathBytes === undefined)
    return { path: `${archive.path}!/${entry.path}` };
  return pathNameOf(Buffer.concat([bytesOf(archive), Buffer.from('!/'), bytesOf(entry)]));
}

/** The archive that a recorded path names a file of; null: it names none. */
export function archiveOfPath(path: string): string | null {
  const end = path.indexOf('!/');
  const archive = path.slice(0, Math.max(0, end));
  return hasArchiveName(archive) ? archive : null;
}
