import { open } from 'node:fs/promises';
import type { Receipt } from '../../domain/receipt.ts';
import { type JournalLine, readLines } from './journal-reader.ts';
import { withoutSum } from './line-sum.ts';
import { decodeReceipt } from './receipt-codec.ts';

/** A committed receipt, its line without the sum, and the bytes of the journal it takes, newline included. */
export interface JournaledLine {
  readonly from: number;
  readonly to: number;
  readonly receipt: Receipt;
  readonly line: string;
}

/**
 * Receipts from a byte on, at most so many; what is no receipt is passed over. Fewer than asked for only where `to` is
 * reached.
 */
export async function linesFrom(
  path: string,
  range: { readonly from: number; readonly to: number },
  most: number,
): Promise<JournaledLine[]> {
  const found: JournaledLine[] = [];
  if (range.to <= range.from) return found;
  for await (const lines of readLines(path, range)) {
    for (const line of lines) {
      const decoded = decodedLine(line);
      if (decoded !== null) found.push(decoded);
      if (found.length >= most) return found;
    }
  }
  return found;
}

function decodedLine({ bytes, offset, length }: JournalLine): JournaledLine | null {
  const line = bytes.toString('utf8');
  const receipt = decodeReceipt(line);
  return receipt === null ? null : { from: offset, to: offset + length + 1, receipt, line: withoutSum(line) };
}

const STEP_BYTES = 256 * 1024;

/**
 * The byte at which the first line begins that was recorded at or after a moment. Lines are in the order of recording,
 * so some twenty reads find it in a journal of any size; a clock that was set back makes it a little early or late.
 * @param size journal bytes that count
 * @param atMs epoch milliseconds
 */
export async function offsetOfMoment(path: string, size: number, atMs: number): Promise<number> {
  let low = 0;
  let high = size;
  while (high - low > STEP_BYTES) {
    const middle = low + Math.floor((high - low) / 2);
    const begin = await lineBeginAfter(path, middle, high);
    const [line] = begin === null ? [] : await linesFrom(path, { from: begin, to: high }, 1);
    if (line === undefined || isSince(line.receipt, atMs)) high = middle;
    else low = line.to;
  }
  // `high` may lie within a line; whole lines are read up to the end of what counts.
  for await (const lines of readLines(path, { from: low, to: size })) {
    for (const line of lines) {
      const decoded = decodedLine(line);
      if (decoded === null || isSince(decoded.receipt, atMs)) return line.offset;
    }
  }
  return size;
}

function isSince({ recordedAt }: Receipt, atMs: number): boolean {
  return Date.parse(recordedAt) >= atMs;
}

async function lineBeginAfter(path: string, offset: number, end: number): Promise<number | null> {
  const handle = await open(path, 'r');
  try {
    const chunk = Buffer.alloc(Math.min(STEP_BYTES, end - offset));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, offset);
    const newline = chunk.subarray(0, bytesRead).indexOf('\n');
    return newline === -1 ? null : offset + newline + 1;
  } finally {
    await handle.close();
  }
}
