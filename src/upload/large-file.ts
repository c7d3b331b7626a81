import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import {
  assertSameVersion,
  diskPathOf,
  type FileToSend,
  fileFailure,
  OPEN_FLAGS,
  truncated,
} from './file-check.ts';
import type { MultipartFrame } from './multipart-body.ts';

/** The fastest of 64 KiB to 1 MiB in our measurements; two of them are all the memory a file of any size takes. */
const READ_BYTES = 512 * 1024;

/** A file that streams: its chunks, and its digest once they have all been handed over. */
export interface StreamedBody {
  readonly body: AsyncIterable<Buffer>;
  /** Hex; null until every byte of the file has been handed over unchanged. */
  sha256(): string | null;
  /** Gives the file back. Safe at any moment, also while a read is under way. */
  close(): Promise<void>;
}

/** Opens and checks it. Throws SlipwayError `file_changed` or the system's error. */
export async function openLargeFile(file: FileToSend, frame: MultipartFrame): Promise<StreamedBody> {
  const handle = await open(diskPathOf(file), OPEN_FLAGS);
  try {
    const stats = await handle.stat({ bigint: true });
    assertSameVersion(stats, file, null);
    let sha256: string | null = null;
    return {
      body: chunksOf(handle, file, frame, stats.ino, (digest) => {
        sha256 = digest;
      }),
      sha256: () => sha256,
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Throws SlipwayErrors only: what is thrown here comes out of the HTTP client. */
async function* chunksOf(
  handle: FileHandle,
  file: FileToSend,
  frame: MultipartFrame,
  ino: bigint,
  finished: (sha256: string) => void,
): AsyncGenerator<Buffer, void, void> {
  yield frame.head;
  const digest = createHash('sha256');
  try {
    yield* contentOf(handle, file.size, digest);
    assertSameVersion(await lstat(diskPathOf(file), { bigint: true }), file, ino);
  } catch (error) {
    throw await fileFailure(error, file.root);
  }
  finished(digest.digest('hex'));
  yield frame.tail;
}

/**
 * The file's bytes, one read ahead. Two buffers take turns, so a chunk is valid until the next one is asked for.
 * Never reads past `size`: what a growing file has more is found by the check afterwards.
 */
async function* contentOf(
  handle: FileHandle,
  size: number,
  digest: Hash,
): AsyncGenerator<Buffer, void, void> {
  const bytes = Math.min(READ_BYTES, size);
  let current = Buffer.allocUnsafeSlow(bytes);
  let ahead = Buffer.allocUnsafeSlow(bytes);
  let reading = readAt(handle, current, 0, size, digest);
  for (let position = 0; position < size; ) {
    const bytesRead = await reading;
    if (bytesRead === 0) throw truncated();
    position += bytesRead;
    if (position < size) reading = readAt(handle, ahead, position, size, digest);
    yield current.subarray(0, bytesRead);
    [current, ahead] = [ahead, current];
  }
}

/** Reads and hashes: the digest of the next chunk is made while the socket still takes this one. */
function readAt(
  handle: FileHandle,
  buffer: Buffer,
  position: number,
  size: number,
  digest: Hash,
): Promise<number> {
  const reading = handle
    .read(buffer, 0, Math.min(buffer.length, size - position), position)
    .then(({ bytesRead }) => {
      digest.update(buffer.subarray(0, bytesRead));
      return bytesRead;
    });
  // Nobody may be left to await a read ahead when the upload ends early.
  reading.catch(() => {});
  return reading;
}
