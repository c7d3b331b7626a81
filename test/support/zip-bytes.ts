/** Archives as bytes, written without the library that reads them: APPNOTE 6.3, as little of it as a case needs. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipFileBytes {
  /** A string goes as UTF-8 with its flag; bytes go as they are, without. */
  readonly name: string | Buffer;
  readonly content: string | Buffer;
  /** Deflated unless said otherwise. */
  readonly stored?: boolean;
  readonly encrypted?: boolean;
  /** Unix st_mode, in the external attributes. */
  readonly mode?: number;
  /** Sizes and offset in a zip64 extra field. */
  readonly zip64?: boolean;
  /** What the central directory says instead of the truth. */
  readonly says?: { readonly size?: number; readonly crc?: number; readonly offset?: number };
  readonly method?: number;
  /** Upper byte of `version made by`: 3 is Unix, 0 is DOS. */
  readonly system?: number;
  /** What lies there instead of its content as it is packed. */
  readonly packed?: Buffer;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const UTF8 = 0x800;
const MAX32 = 0xffff_ffff;
/** 2026-11-22 01:02:04, in DOS form. */
const DOS_DATE = ((2026 - 1980) << 9) | (11 << 5) | 22;
const DOS_TIME = (1 << 11) | (2 << 5) | 2;
export const ZIP_TIME = '2026-11-22T01:02:04.000Z';

export interface ZipOptions {
  readonly zip64?: boolean;
  /** Numbers and offsets without what does not fit into their field, as the Mac's Archive Utility writes them. */
  readonly wraps?: boolean;
}

export function zipBytes(files: readonly ZipFileBytes[], options: ZipOptions = {}): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const content = Buffer.from(file.content);
    const data = file.packed ?? (file.stored === true ? content : deflateRawSync(content));
    // Traditional encryption puts twelve bytes in front.
    const packed = file.encrypted === true ? Buffer.concat([Buffer.alloc(12, 7), data]) : data;
    const name = Buffer.from(file.name as Buffer);
    const flags = (typeof file.name === 'string' ? UTF8 : 0) | (file.encrypted === true ? 1 : 0);
    const method = file.method ?? (file.stored === true ? 0 : 8);
    const sum = file.says?.crc ?? crc32(content);
    const size = file.says?.size ?? content.length;
    const extra = file.zip64 === true ? zip64Extra(size, packed.length, offset) : Buffer.alloc(0);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(LOCAL, 0);
    local.writeUInt16LE(45, 4);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(DOS_TIME, 10);
    local.writeUInt16LE(DOS_DATE, 12);
    local.writeUInt32LE(sum, 14);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(size, 22);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(CENTRAL, 0);
    central.writeUInt16LE(((file.system ?? 3) << 8) | 45, 4);
    central.writeUInt16LE(45, 6);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt16LE(DOS_TIME, 12);
    central.writeUInt16LE(DOS_DATE, 14);
    central.writeUInt32LE(sum, 16);
    central.writeUInt32LE(file.zip64 === true ? MAX32 : packed.length, 20);
    central.writeUInt32LE(file.zip64 === true ? MAX32 : size, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(extra.length, 30);
    central.writeUInt32LE(((file.mode ?? 0o100644) << 16) >>> 0, 38);
    central.writeUInt32LE(file.zip64 === true ? MAX32 : (file.says?.offset ?? offset), 42);
    bodies.push(local, name, packed);
    directory.push(central, name, extra);
    offset += local.length + name.length + packed.length;
  }
  const central = Buffer.concat(directory);
  const end64 = options.zip64 === true ? endOfZip64(files.length, central.length, offset) : Buffer.alloc(0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(END, 0);
  const count =
    options.zip64 === true ? 0xffff : options.wraps === true ? files.length % 65_536 : files.length;
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(options.zip64 === true ? MAX32 : central.length, 12);
  end.writeUInt32LE(options.zip64 === true ? MAX32 : offset, 16);
  return Buffer.concat([...bodies, central, end64, end]);
}

function zip64Extra(size: number, packed: number, offset: number): Buffer {
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(0x0001, 0);
  extra.writeUInt16LE(24, 2);
  extra.writeBigUInt64LE(BigInt(size), 4);
  extra.writeBigUInt64LE(BigInt(packed), 12);
  extra.writeBigUInt64LE(BigInt(offset), 20);
  return extra;
}

function endOfZip64(entries: number, size: number, offset: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(END64, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  record.writeBigUInt64LE(BigInt(entries), 24);
  record.writeBigUInt64LE(BigInt(entries), 32);
  record.writeBigUInt64LE(BigInt(size), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(LOCATOR64, 0);
  locator.writeBigUInt64LE(BigInt(offset + size), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator]);
}
