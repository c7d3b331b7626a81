export const BLOCK_BYTES = 512;

/** What one header block says; names are bytes. */
export interface TarHeader {
  readonly name: Buffer;
  /** Bytes that follow, without padding. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** One character, see `tar-members.ts`. */
  readonly type: string;
  readonly linkName: Buffer;
}

const USTAR = 'ustar\0';
/** The star program's mark, whose prefix is shorter. */
const STAR = 'tar\0';
const SUM_AT = 148;
const SUM_END = 156;
const SPACE = 0x20;

/** @returns null: it is no header, or one that is damaged */
export function readTarHeader(block: Buffer): TarHeader | null {
  if (block.length < BLOCK_BYTES || !isTarHeader(block) || isZeros(block)) return null;
  const size = tarNumber(block, 124, 12);
  if (size < 0 || !Number.isSafeInteger(size)) return null;
  const name = text(block, 0, 100);
  const isUstar = block.toString('latin1', 257, 263) === USTAR;
  const prefixBytes = block.toString('latin1', 508, 512) === STAR ? 131 : 155;
  const prefix = isUstar ? text(block, 345, prefixBytes) : Buffer.alloc(0);
  const type = block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0);
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    ...{ size, type, mtime: tarNumber(block, 136, 12), linkName: text(block, 157, 100) },
  };
}

/** By its checksum, which every dialect has; a block of zeros, which ends an archive, counts. */
export function isTarHeader(block: Buffer): boolean {
  if (block.length < BLOCK_BYTES) return false;
  let sum = 0;
  let signedSum = 0;
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    const byte = at >= SUM_AT && at < SUM_END ? SPACE : (block[at] ?? 0);
    sum += byte;
    signedSum += byte < 0x80 ? byte : byte - 0x100;
  }
  const said = tarNumber(block, SUM_AT, SUM_END - SUM_AT);
  // Some old programs summed signed characters.
  return said === sum || said === signedSum || isZeros(block);
}

export function isZeros(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** Octal digits between blanks, or base 256 where its first bit says so; NaN where it is neither. */
export function tarNumber(block: Buffer, at: number, length: number): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = text(block, at, length).toString('latin1').trim();
    if (digits === '') return 0;
    return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
  }
  // Two's complement over all of the field but that bit.
  let value = (first & 0x40) === 0 ? first & 0x3f : (first & 0x3f) - 0x40;
  for (let index = 1; index < length; index += 1) value = value * 256 + (block[at + index] ?? 0);
  return value;
}

/** Up to its NUL. */
function text(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return Buffer.from(end === -1 ? field : field.subarray(0, end));
}
