import type { FileHandle } from 'node:fs/promises';
import { type ExtraField, Entry as ZipEntry } from 'yauzl';
import { bytesAt, LOCAL, type ZipDirectory } from './zip-directory.ts';

const CENTRAL = 0x02014b50;
const HEADER_BYTES = 46;
/** Header, name, extra fields and comment, each of the last three 64 KiB at most. */
const LONGEST = HEADER_BYTES + 3 * 65_536;
const READ_BYTES = 256 * 1024;
const DIGITAL_SIGNATURE = 0x05054b50;
const ZIP64_EXTRA = 0x0001;
const MAX32 = 0xffff_ffff;
const WRAP = 2 ** 32;
const LOCAL_BYTES = 30;

/**
 * The headers of a central directory in its order, all of them whatever the end record counts, their offsets as bytes
 * of the file. What zip64 says of one holds wherever it says it.
 * @throws Error where the directory is damaged, or holds fewer than the end record says
 */
export async function* zipHeaders(
  file: FileHandle,
  fileBytes: number,
  directory: ZipDirectory,
): AsyncGenerator<ZipEntry> {
  const headers = directoryHeaders(file, directory);
  const mayHaveWrapped = !directory.zip64 && fileBytes > MAX32;
  yield* mayHaveWrapped ? unwrapped(file, headers, directory) : headers;
}

async function* directoryHeaders(file: FileHandle, directory: ZipDirectory): AsyncGenerator<ZipEntry> {
  const { start, end, declared, zip64, shift } = directory;
  let read = 0;
  let buffer: Buffer = Buffer.alloc(0);
  let at = 0;
  for (let position = start; position < end; ) {
    if (buffer.length - at < LONGEST && position + (buffer.length - at) < end) {
      buffer = await bytesAt(file, position, Math.min(Math.max(READ_BYTES, LONGEST), end - position));
      at = 0;
    }
    const signature = buffer.length - at < HEADER_BYTES ? 0 : buffer.readUInt32LE(at);
    if (signature !== CENTRAL) {
      // A signature of the directory may end it, and where the end record's length is wrong its number does.
      if (signature === DIGITAL_SIGNATURE || read === declared) break;
      throw new Error(`its directory is damaged behind entry ${read}`);
    }
    const entry = entryAt(buffer, at, shift);
    const bytes = HEADER_BYTES + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
    if (at + bytes > buffer.length) throw new Error(`its directory is damaged behind entry ${read}`);
    yield entry;
    read += 1;
    at += bytes;
    position += bytes;
  }
  const isWhole = zip64 ? read === declared : (read - declared) % 65_536 === 0;
  if (!isWhole) throw new Error(`its end says ${declared} entries, its directory holds ${read}`);
}

/** One header (APPNOTE 4.3.12). Its bytes are copied: the buffer goes on. */
function entryAt(buffer: Buffer, at: number, shift: number): ZipEntry {
  const entry = new ZipEntry();
  entry.versionMadeBy = buffer.readUInt16LE(at + 4);
  entry.generalPurposeBitFlag = buffer.readUInt16LE(at + 8);
  entry.compressionMethod = buffer.readUInt16LE(at + 10);
  entry.lastModFileTime = buffer.readUInt16LE(at + 12);
  entry.lastModFileDate = buffer.readUInt16LE(at + 14);
  entry.crc32 = buffer.readUInt32LE(at + 16);
  entry.compressedSize = buffer.readUInt32LE(at + 20);
  entry.uncompressedSize = buffer.readUInt32LE(at + 24);
  entry.fileNameLength = buffer.readUInt16LE(at + 28);
  entry.extraFieldLength = buffer.readUInt16LE(at + 30);
  entry.fileCommentLength = buffer.readUInt16LE(at + 32);
  entry.externalFileAttributes = buffer.readUInt32LE(at + 38);
  entry.relativeOffsetOfLocalHeader = buffer.readUInt32LE(at + 42);
  const extraAt = at + HEADER_BYTES + entry.fileNameLength;
  entry.fileNameRaw = Buffer.from(buffer.subarray(at + HEADER_BYTES, extraAt));
  entry.extraFieldRaw = Buffer.from(buffer.subarray(extraAt, extraAt + entry.extraFieldLength));
  entry.extraFields = extraFieldsOf(entry.extraFieldRaw);
  takeZip64(entry);
  entry.relativeOffsetOfLocalHeader += shift;
  return entry;
}

/** As far as they make sense: padding, or one that says it is longer than it is, hurts no entry. */
function extraFieldsOf(bytes: Buffer): ExtraField[] {
  const fields: ExtraField[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt16LE(at + 2);
    if (end > bytes.length) break;
    fields.push({ id: bytes.readUInt16LE(at), data: bytes.subarray(at + 4, end) });
    at = end;
  }
  return fields;
}

/** The fields of 32 bits that could not hold their value, in this order (APPNOTE 4.5.3). */
function takeZip64(entry: ZipEntry): void {
  const data = entry.extraFields.find(({ id }) => id === ZIP64_EXTRA)?.data;
  if (data === undefined) return;
  let at = 0;
  for (const field of ['uncompressedSize', 'compressedSize', 'relativeOffsetOfLocalHeader'] as const) {
    if (entry[field] !== MAX32 || at + 8 > data.length) continue;
    entry[field] = Number(data.readBigUInt64LE(at));
    at += 8;
  }
}

/**
 * Of an archive above 4 GiB whose maker knows no zip64 (the Mac's Archive Utility), where offsets and sizes are modulo
 * 2^32. Its entries lie one behind another in the order of the directory: each is looked for at the first place behind
 * the one before that its offset allows. A larger distance than its size explains is a size that has wrapped too.
 */
async function* unwrapped(
  file: FileHandle,
  headers: AsyncGenerator<ZipEntry>,
  directory: ZipDirectory,
): AsyncGenerator<ZipEntry> {
  let last: ZipEntry | null = null;
  for await (const entry of headers) {
    const from = last === null ? 0 : endOf(last);
    entry.relativeOffsetOfLocalHeader = await placeOf(file, entry, from, directory.start);
    if (last !== null) yield widened(last, entry.relativeOffsetOfLocalHeader);
    last = entry;
  }
  if (last !== null) yield widened(last, directory.start);
}

/** Behind its packed bytes, at least. */
export function endOf(entry: ZipEntry): number {
  return entry.relativeOffsetOfLocalHeader + LOCAL_BYTES + entry.fileNameRaw.length + entry.compressedSize;
}

async function placeOf(file: FileHandle, entry: ZipEntry, from: number, end: number): Promise<number> {
  const said = entry.relativeOffsetOfLocalHeader;
  const steps = Math.max(0, Math.ceil((from - said) / WRAP));
  for (let at = said + steps * WRAP; at < end; at += WRAP) {
    const bytes = await bytesAt(file, at, LOCAL_BYTES + entry.fileNameRaw.length);
    if (bytes.readUInt32LE(0) === LOCAL && bytes.subarray(LOCAL_BYTES).equals(entry.fileNameRaw)) return at;
  }
  return said;
}

function widened(entry: ZipEntry, next: number): ZipEntry {
  const missing = Math.floor((next - endOf(entry)) / WRAP);
  if (missing > 0) entry.compressedSize += missing * WRAP;
  return entry;
}

/** Whether its packed bytes are more than 32 bits can say, in an archive that has no more: its size is not known. */
export function hasWrappedSize(entry: ZipEntry): boolean {
  return entry.compressedSize > MAX32 && !entry.extraFields.some(({ id }) => id === ZIP64_EXTRA);
}
