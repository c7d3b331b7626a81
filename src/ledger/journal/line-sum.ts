import { crc32 } from 'node:zlib';

/**
 * The last field of a journal line, `"sum"`: CRC-32 of the line as it is without that field, in hex. Lines of older versions have
 * none. It is the journal's alone: snapshots, webhooks, exports and receipts beside files are without it.
 */
const FIELD = /,"sum":"([0-9a-f]{8})"\}$/;
const HEAD = Buffer.from(',"sum":"');
const FIELD_BYTES = HEAD.length + 8 + 2;
const CLOSE = Buffer.from('}');

/** @param line one JSON object without a sum; what is none stays as it is */
export function withSum(line: string): string {
  if (!line.startsWith('{') || !line.endsWith('}') || line === '{}') return line;
  return `${line.slice(0, -1)},"sum":"${sumOf(line)}"}`;
}

function sumOf(line: string): string {
  return crc32(line).toString(16).padStart(8, '0');
}

/** The line as it is shown. */
export function withoutSum(line: string): string {
  return FIELD.test(line) ? `${line.slice(0, -FIELD_BYTES)}}` : line;
}

/** The same where its sum is that of its content, or it has none; null: something has changed it. */
export function intactLine(line: string): string | null {
  const sum = FIELD.exec(line)?.[1];
  if (sum === undefined) return line;
  const shown = `${line.slice(0, -FIELD_BYTES)}}`;
  return sumOf(shown) === sum ? shown : null;
}

/** The same of its bytes; those are used again where there is nothing to take away. */
export function bytesWithoutSum(line: Buffer): Buffer {
  const at = line.length - FIELD_BYTES;
  if (at < 0 || !line.subarray(at, at + HEAD.length).equals(HEAD)) return line;
  return Buffer.concat([line.subarray(0, at), CLOSE]);
}
