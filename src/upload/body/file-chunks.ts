import type { FileHandle } from 'node:fs/promises';
import { truncated } from '../attempt/file-check.ts';

/** The fastest of 64 KiB to 1 MiB in our measurements; two of them are all the memory a file of any size takes. */
const READ_BYTES = 512 * 1024;

/** A stretch of a file, in bytes. */
export interface FileRange {
  readonly start: number;
  readonly size: number;
}

/**
 * The bytes of a stretch, one read ahead. Two buffers take turns, so a chunk is valid until the next one is asked for.
 * Never reads past its end: what a growing file has more is found by the check afterwards. Throws SlipwayError
 * `file_changed` when the file ends before it, or the system's error.
 * @param seen told of every chunk in order, as soon as it is read: what it does then overlaps with the sending
 */
export async function* fileChunks(
  handle: FileHandle,
  { start, size }: FileRange,
  seen: (chunk: Buffer) => void,
): AsyncGenerator<Buffer, void, void> {
  const bytes = Math.min(READ_BYTES, size);
  let current = Buffer.allocUnsafeSlow(bytes);
  let ahead = Buffer.allocUnsafeSlow(bytes);
  let reading = readAt(handle, current, { start, size }, seen);
  for (let done = 0; done < size; ) {
    const bytesRead = await reading;
    if (bytesRead === 0) throw truncated();
    done += bytesRead;
    if (done < size) reading = readAt(handle, ahead, { start: start + done, size: size - done }, seen);
    yield current.subarray(0, bytesRead);
    [current, ahead] = [ahead, current];
  }
}

function readAt(
  handle: FileHandle,
  buffer: Buffer,
  { start, size }: FileRange,
  seen: (chunk: Buffer) => void,
): Promise<number> {
  const reading = handle.read(buffer, 0, Math.min(buffer.length, size), start).then(({ bytesRead }) => {
    seen(buffer.subarray(0, bytesRead));
    return bytesRead;
  });
  // Nobody may be left to await a read ahead when the upload ends early.
  reading.catch(() => {});
  return reading;
}
