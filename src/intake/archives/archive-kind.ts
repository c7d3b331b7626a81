import { open } from 'node:fs/promises';
import { BLOCK_BYTES, isTarHeader } from './tar-header.ts';
import { bytesAt, findZipDirectory } from './zip-directory.ts';

/** What Slipway reads entry by entry. */
export type ArchiveKind = 'zip' | 'tar' | 'tar.gz' | 'tar.zst';

/** What a file is: an archive, or a format that has to be unpacked or converted by another tool first. */
export type FileFormat =
  | { readonly kind: ArchiveKind }
  | { readonly kind: 'foreign'; readonly format: string; readonly command: string }
  | { readonly kind: 'unknown' };

const ENDINGS = ['.zip', '.tar', '.tar.gz', '.tgz', '.tar.zst', '.tzst'];
/** Named so, it is meant as an archive, and said to be one that has to be converted. */
const FOREIGN_ENDINGS = ['.tar.xz', '.txz', '.tar.bz2', '.tbz2', '.tbz', '.tar.lz', '.tar.z', '.7z', '.rar'];

/** Whether a path is meant as an archive, by its name alone. */
export function hasArchiveName(path: string): boolean {
  const name = path.toLowerCase();
  return [...ENDINGS, ...FOREIGN_ENDINGS].some((ending) => name.endsWith(ending));
}

interface Signature {
  readonly bytes: string;
  readonly format: FileFormat;
}

const foreign = (format: string, command: string): FileFormat => ({ kind: 'foreign', format, command });

/** The first bytes of each, as Latin-1. */
const SIGNATURES: readonly Signature[] = [
  { bytes: 'PK\x03\x04', format: { kind: 'zip' } },
  { bytes: 'PK\x05\x06', format: { kind: 'zip' } },
  // In front of the first part of a split one, and of one that might have become split.
  { bytes: 'PK\x07\x08', format: { kind: 'zip' } },
  { bytes: 'PK00PK', format: { kind: 'zip' } },
  { bytes: '\x1f\x8b', format: { kind: 'tar.gz' } },
  { bytes: '\x28\xb5\x2f\xfd', format: { kind: 'tar.zst' } },
  { bytes: '\xfd7zXZ\0', format: foreign('compressed by xz', 'unpack that with `xz -dk FILE`') },
  { bytes: 'BZh', format: foreign('compressed by bzip2', 'unpack that with `bzip2 -dk FILE`') },
  { bytes: 'LZIP', format: foreign('compressed by lzip', 'unpack that with `lzip -dk FILE`') },
  { bytes: '\x1f\x9d', format: foreign('compressed by compress', 'unpack that with `gzip -d FILE`') },
  { bytes: '7z\xbc\xaf\x27\x1c', format: foreign('a 7z archive', 'unpack it with `7z x FILE -oFOLDER`') },
  { bytes: 'Rar!\x1a\x07', format: foreign('a RAR archive', 'unpack it with `7z x FILE -oFOLDER`') },
];

/**
 * What a file is by its bytes: names lie, and download tools rename.
 * @throws what the system says where it cannot be read
 */
export async function formatOf(path: string): Promise<FileFormat> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const head = await bytesAt(file, 0, Math.min(size, BLOCK_BYTES));
    const text = head.toString('latin1');
    const found = SIGNATURES.find(({ bytes }) => text.startsWith(bytes));
    if (found !== undefined) return found.format;
    if (isTarHeader(head)) return { kind: 'tar' };
    // Behind a script or a program that unpacks it.
    return (await findZipDirectory(file, size)) === null ? { kind: 'unknown' } : { kind: 'zip' };
  } finally {
    await file.close();
  }
}
