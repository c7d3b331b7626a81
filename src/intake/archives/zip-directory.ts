import type { FileHandle } from 'node:fs/promises';

/** Where the central directory of a zip lies, as it really is. */
export interface ZipDirectory {
  /** Byte of the file at which its first header begins. */
  readonly start: number;
  /** Byte of the file behind its last header. */
  readonly end: number;
  /** Entries, as the end record says. */
  readonly declared: number;
  /** Whether the zip64 record said it: else it is the number modulo 65,536. */
  readonly zip64: boolean;
  /** Bytes in front of the archive (a script, say) that offsets do not count. */
  readonly shift: number;
}

const END = 0x06054b50;
const END_BYTES = 22;
const LOCATOR64 = 0x07064b50;
const LOCATOR64_BYTES = 20;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const CENTRAL = 0x02014b50;
export const LOCAL = 0x04034b50;

/** The longest comment is 64 KiB; the rest is for what was put behind the archive. */
const TAIL_BYTES = 1024 * 1024;
/** Each costs a few reads: a file that is full of signatures is no archive. */
const MAX_CANDIDATES = 1_000;
const NOT_16_BIT = 0xffff;
const WRAP = 2 ** 32;

/**
 * Finds the directory by its last end record that leads to one, as unpackers do: a signature inside the comment does
 * not, and what lies in front of the archive or behind it makes no difference.
 * @returns null: there is none, so this is no zip, or one that was cut off
 * @throws Error when it is one part of a split archive
 */
export async function findZipDirectory(file: FileHandle, fileBytes: number): Promise<ZipDirectory | null> {
  const tailStart = Math.max(0, fileBytes - TAIL_BYTES);
  const tail = await bytesAt(file, tailStart, fileBytes - tailStart);
  let empty: ZipDirectory | null = null;
  let isSplit = false;
  let candidates = 0;
  for (let at = tail.length - END_BYTES; at >= 0 && candidates < MAX_CANDIDATES; at -= 1) {
    if (tail[at] !== 0x50 || tail.readUInt32LE(at) !== END) continue;
    candidates += 1;
    const position = tailStart + at;
    const end = tail.subarray(at, at + END_BYTES);
    const found = await directoryOf(file, end, position);
    if (found !== null) return found;
    // Both may be a comment's, so anything better wins.
    isSplit ||= candidates === 1 && end.readUInt16LE(4) > 0 && end.readUInt16LE(4) < NOT_16_BIT;
    if (isEmpty(end)) empty ??= { start: position, end: position, declared: 0, zip64: false, shift: 0 };
  }
  if (empty === null && isSplit) {
    throw new Error(
      'it is the last part of a split archive: put the parts together with `zip -s 0 PART.zip --out WHOLE.zip`',
    );
  }
  return empty;
}

async function directoryOf(file: FileHandle, end: Buffer, position: number): Promise<ZipDirectory | null> {
  const said = await zip64Said(file, position);
  const declared = said?.declared ?? end.readUInt16LE(10);
  const bytes = said?.bytes ?? end.readUInt32LE(12);
  const offset = said?.offset ?? end.readUInt32LE(16);
  const endsAt = said?.position ?? position;
  if (declared === 0 && bytes === 0) return null;
  const facts = { end: endsAt, declared, zip64: said !== null };
  // By its length it ends where the end record begins; offsets then count from wherever the archive begins.
  const start = endsAt - bytes;
  if (start >= 0 && (await signatureAt(file, start)) === CENTRAL)
    return { ...facts, start, shift: await shiftOf(file, start, start - offset) };
  return offset < endsAt && (await signatureAt(file, offset)) === CENTRAL
    ? { ...facts, start: offset, shift: 0 }
    : null;
}

interface Zip64Said {
  readonly position: number;
  readonly declared: number;
  readonly bytes: number;
  readonly offset: number;
}

/** What the zip64 record in front of an end record says, wherever its locator is; null: there is none. */
async function zip64Said(file: FileHandle, position: number): Promise<Zip64Said | null> {
  const at = position - LOCATOR64_BYTES;
  if (at < END64_BYTES) return null;
  const locator = await bytesAt(file, at, LOCATOR64_BYTES);
  if (locator.readUInt32LE(0) !== LOCATOR64) return null;
  // Bytes in front of the archive are not counted in what it says: the record mostly lies right before its locator.
  for (const one of [Number(locator.readBigUInt64LE(8)), at - END64_BYTES]) {
    if (one > at - END64_BYTES) continue;
    const record = await bytesAt(file, one, END64_BYTES);
    if (record.readUInt32LE(0) !== END64) continue;
    return {
      position: one,
      declared: Number(record.readBigUInt64LE(32)),
      bytes: Number(record.readBigUInt64LE(40)),
      offset: Number(record.readBigUInt64LE(48)),
    };
  }
  return null;
}

/**
 * What to add to the offsets of entries. A directory that does not lie where it should tells of bytes in front of the
 * archive, or of an offset of 32 bits that did not hold 4 GiB: then the first entry lies where it says.
 */
async function shiftOf(file: FileHandle, start: number, shift: number): Promise<number> {
  if (shift === 0) return 0;
  const header = await bytesAt(file, start, 46);
  const first = header.readUInt32LE(42);
  const isEntry = async (at: number): Promise<boolean> => (await signatureAt(file, at)) === LOCAL;
  if (shift % WRAP === 0 || shift < 0 || !(await isEntry(first + shift)))
    return (await isEntry(first)) ? 0 : Math.max(0, shift);
  return shift;
}

function isEmpty(end: Buffer): boolean {
  return end.readUInt16LE(10) === 0 && end.readUInt32LE(12) === 0;
}

async function signatureAt(file: FileHandle, position: number): Promise<number | null> {
  return (await bytesAt(file, position, 4)).readUInt32LE(0);
}

/** So many bytes; zeros where the file has none. */
export async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  if (position < 0) return bytes;
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes;
}
