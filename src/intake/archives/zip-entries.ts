import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import type { Entry, ZipFile } from 'yauzl';
import type { ZipNames } from '../../domain/batch-source.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { type ArchiveEntry, entryTimeNs, type LeftOutEntry, type Refusal } from './archive-entry.ts';
import { bombIn, createBombWatch } from './bomb-limits.ts';
import { judgeEntryName } from './entry-name.ts';
import { openZipData } from './zip-data.ts';
import { findZipDirectory } from './zip-directory.ts';
import { hasWrappedSize, zipHeaders } from './zip-headers.ts';
import { canUnpack, isZstandard, methodName } from './zip-methods.ts';
import { decoded, zipName } from './zip-names.ts';
import { guessZipNames, type NamesGuess } from './zip-names-guess.ts';
import { replacedEntries, surveyZip } from './zip-survey.ts';

/** Upper byte of `version made by` (APPNOTE 4.4.2) whose external attributes are st_mode: Unix and OS X. */
const UNIX_SYSTEMS: ReadonlySet<number> = new Set([3, 19]);
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFIFO = 0o010000;
const S_IFLNK = 0o120000;

export interface ZipOptions {
  /** How names are read that do not say it; null: it is guessed. */
  readonly names?: ZipNames | null;
  /** A guess was made, from so many names, one of which reads like this. */
  readonly guessed?: (guess: NamesGuess & { readonly example: string }) => void;
}

/**
 * The files of a .zip in the order of its central directory, by which they are counted: end records hold 16 bits. One
 * is in memory at a time. Throws what is wrong with the archive as a whole, once what can be read of it is read; what
 * is wrong with one entry is said of that entry.
 */
export async function* zipEntries(path: string, options: ZipOptions = {}): AsyncGenerator<ArchiveEntry> {
  const file = await open(path);
  let data: ZipFile | null = null;
  try {
    const { size } = await file.stat();
    const directory = await findZipDirectory(file, size);
    if (directory === null) throw new Error('it has no directory: it is cut off, or no zip');
    const headers = (): AsyncGenerator<Entry> => zipHeaders(file, size, directory);
    const survey = await surveyZip(headers());
    const names = namesOf(survey.undecided, options);
    const nameOf = (entry: Entry): PathName => zipName(entry, names);
    const replaced = await replacedEntries(headers(), survey.entries, nameOf);
    data = openZipData(file, size);
    const watch = createBombWatch(size);
    let index = -1;
    for await (const entry of headers()) {
      index += 1;
      const found = entryOf(data, entry, nameOf(entry));
      if (found !== null && replaced.has(index))
        yield { kind: 'left_out', name: found.name, reason: 'replaced' };
      else if (found !== null) {
        const bomb = found.kind === 'file' ? watch.entry(found.size) : null;
        if (bomb !== null) throw new Error(`${bomb}: a zip bomb`);
        yield found;
      }
    }
  } finally {
    if (data === null) await file.close();
    else data.close();
  }
}

function namesOf(undecided: readonly Buffer[], { names = null, guessed }: ZipOptions): ZipNames | null {
  if (names !== null) return names;
  const [example] = undecided;
  if (example === undefined) return null;
  const guess = guessZipNames(undecided);
  guessed?.({ ...guess, example: decoded(example, guess.names) ?? '' });
  return guess.names;
}

/** null: a folder. */
function entryOf(zip: ZipFile, entry: Entry, raw: PathName): Exclude<ArchiveEntry, LeftOutEntry> | null {
  const verdict = judgeEntryName(raw);
  const size = entry.uncompressedSize;
  if (verdict.kind === 'folder' && size === 0) return null;
  const name = verdict.kind === 'folder' ? folderName(raw) : verdict.name;
  // Without an extended time stamp a zip says local time of nobody knows where: UTC, so that it is the same for all.
  const facts = { name, size, mtimeNs: entryTimeNs(entry.getLastModDate({ timezone: 'UTC' })) };
  const refusal = verdict.kind === 'file' ? refusalOf(entry) : refused(WHY_FOLDER);
  if (verdict.kind === 'refused') return { kind: 'refused', ...facts, refusal: refused(verdict.why) };
  if (refusal !== null) return { kind: 'refused', ...facts, refusal };
  return { kind: 'file', ...facts, crc32: entry.crc32, open: () => unpacked(zip, entry) };
}

const WHY_FOLDER = 'its name ends with a slash as a folder does, and yet it holds bytes';

/** A folder's, as a file would have it. */
function folderName(raw: PathName): PathName {
  const verdict = judgeEntryName({ path: raw.path.replace(/[/.]+$/, '') });
  return verdict.kind === 'folder' ? { path: '%2F' } : verdict.name;
}

function refused(why: string): Refusal {
  return { code: 'archive_entry_refused', details: { why } };
}

function refusalOf(entry: Entry): Refusal | null {
  const type = UNIX_SYSTEMS.has(entry.versionMadeBy >>> 8)
    ? (entry.externalFileAttributes >>> 16) & S_IFMT
    : 0;
  if (type === S_IFLNK) return refused('it is a symbolic link');
  // `… | zip - -` notes that its input was a pipe, and holds what came through it.
  const isFile = type === 0 || type === S_IFREG || (type === S_IFIFO && entry.uncompressedSize > 0);
  if (!isFile && type !== S_IFDIR) return refused('it is neither a file nor a folder');
  if (entry.isEncrypted()) return { code: 'archive_entry_encrypted', details: {} };
  if (!canUnpack(entry.compressionMethod))
    return { code: 'archive_entry_method', details: { method: methodName(entry.compressionMethod) } };
  if (hasWrappedSize(entry))
    return { code: 'archive_entry_method', details: { method: 'a packer that keeps no sizes above 4 GiB' } };
  const bomb = bombIn(entry.compressedSize, entry.uncompressedSize);
  return bomb === null ? null : { code: 'archive_bomb', details: { why: bomb } };
}

async function unpacked(zip: ZipFile, entry: Entry): Promise<Readable> {
  if (!isZstandard(entry.compressionMethod)) return await zip.openReadStreamPromise(entry);
  const packed = await zip.openReadStreamPromise(entry, { decodeFileData: false });
  // What goes wrong in either is thrown to whoever reads the end of it.
  return pipeline(packed, createZstdDecompress(), () => {});
}
