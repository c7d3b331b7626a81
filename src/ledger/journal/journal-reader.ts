import { type FileHandle, open } from 'node:fs/promises';
import { SlipwayError } from '../../domain/errors.ts';

/** Where a line is in the journal. */
export interface LinePlace {
  /** Byte at which the line begins. */
  readonly offset: number;
  /** Bytes, without the newline. */
  readonly length: number;
}

export interface JournalLine extends LinePlace {
  readonly bytes: Buffer;
}

const CHUNK_BYTES = 256 * 1024;

/** Far above any receipt: what has no newline for this long is not a journal. Bounds the memory of a reader. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * Streams the whole lines of a journal, a chunk's worth at a time; a last line without newline is left out. Memory
 * does not grow with the file.
 * @param range.from byte at which a line begins
 * @param range.to byte at which to stop: what is appended meanwhile is another reader's
 * @throws SlipwayError `journal_corrupt`: no newline for 4 MiB
 */
export async function* readLines(
  path: string,
  range: { readonly from: number; readonly to: number },
): AsyncGenerator<JournalLine[]> {
  const handle = await open(path, 'r');
  try {
    let offset = range.from;
    let rest: Buffer = Buffer.alloc(0);
    while (offset + rest.length < range.to) {
      const position = offset + rest.length;
      const chunk = await readChunk(handle, position, Math.min(CHUNK_BYTES, range.to - position));
      if (chunk.length === 0) return;
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const lines = wholeLines(bytes, offset);
      const last = lines.at(-1);
      const used = last === undefined ? 0 : last.offset + last.length + 1 - offset;
      rest = bytes.subarray(used);
      offset += used;
      if (rest.length > MAX_LINE_BYTES) throw new SlipwayError('journal_corrupt', { path, offset });
      if (lines.length > 0) yield lines;
    }
  } finally {
    await handle.close();
  }
}

/**
 * Streams the lines that begin at the given bytes, in that order.
 * @param offsets ascending: the file is then read once from front to back, whatever is left out between
 * @throws SlipwayError `journal_corrupt`: a line has no end
 */
export async function* pickLines(path: string, offsets: Iterable<number>): AsyncGenerator<Buffer> {
  const handle = await open(path, 'r');
  try {
    let start = 0;
    let bytes: Buffer = Buffer.alloc(0);
    for (const offset of offsets) {
      let end = offset < start ? -1 : bytes.indexOf(NEWLINE, offset - start);
      for (let size = CHUNK_BYTES; end === -1; size *= 2) {
        bytes = await readChunk(handle, offset, size);
        start = offset;
        end = bytes.indexOf(NEWLINE);
        if (end === -1 && (bytes.length < size || size > MAX_LINE_BYTES)) {
          throw new SlipwayError('journal_corrupt', { path, offset });
        }
      }
      yield bytes.subarray(offset - start, end);
    }
  } finally {
    await handle.close();
  }
}

function wholeLines(bytes: Buffer, base: number): JournalLine[] {
  const lines: JournalLine[] = [];
  let begin = 0;
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, begin)) {
    lines.push({ offset: base + begin, length: end - begin, bytes: bytes.subarray(begin, end) });
    begin = end + 1;
  }
  return lines;
}

/** Up to `size` bytes from `position`; fewer only at the end of the file. */
async function readChunk(handle: FileHandle, position: number, size: number): Promise<Buffer> {
  const chunk = Buffer.allocUnsafe(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await handle.read(chunk, filled, size - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return chunk.subarray(0, filled);
}

/** Some lines of one file, in the order of their places; null where the file ends before one does. */
export async function readPlaces(path: string, quota: readonly LinePlace[]): Promise<(Buffer | null)[]> {
  const handle = await open(path, 'r');
  try {
    const lines: (Buffer | null)[] = [];
    for (const { offset, length } of quota) {
      const bytes = await readChunk(handle, offset, length);
      lines.push(bytes.length === length ? bytes : null);
    }
    return lines;
  } finally {
    await handle.close();
  }
}

/** One line; null where the file ends before it does. Throws the system's errors. */
export async function readPlace(path: string, place: LinePlace): Promise<Buffer | null> {
  const [line = null] = await readPlaces(path, [place]);
  return line;
}
