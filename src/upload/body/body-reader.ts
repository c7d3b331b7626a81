import { SlipwayError } from '../../domain/errors.ts';
import { openFile } from '../../platform/files/exact-file.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import { diskPathOf, type FileToSend, fileFailure } from '../attempt/file-check.ts';
import { openLargeFile } from './large-file.ts';
import type { MultipartFrame } from './multipart-body.ts';
import { bodyOfBytes, readSmallFile, readSmallFileSync, type WholeBody } from './small-file.ts';
import type { SmallReads } from './small-reads.ts';

/** Up to here a file is sent as one Buffer; more would cost memory at many uploads in flight, and gains nothing. */
export const ONE_BUFFER_BYTES = 1024 * 1024;

/** The body of one upload. Each attempt opens its own. */
export interface FileBody {
  readonly body: Buffer | AsyncIterable<Buffer>;
  /** Bytes of the whole body, exact. */
  readonly contentLength: number;
  /** Hex, of the file's bytes; null until every one of them has been handed over unchanged. */
  sha256(): string | null;
  /** Gives the file back. Safe at any moment. */
  close(): Promise<void>;
}

/**
 * Opens a file version for sending. Throws SlipwayError `file_changed`, `file_vanished`, `file_unreadable`, `file_unsized`,
 * `source_root_gone`, `read_failed`, `out_of_handles`; a large file's chunks may throw them later.
 */
export async function openFileBody(
  file: FileToSend,
  frame: MultipartFrame,
  smallReads: SmallReads,
  clock: Clock,
): Promise<FileBody> {
  const contentLength = frame.head.length + file.size + frame.tail.length;
  try {
    if (file.content === undefined && file.size > ONE_BUFFER_BYTES)
      return { contentLength, ...(await openLargeFile(file, frame)) };
    const { body, sha256 } = await readWhole(file, frame, smallReads, clock);
    if (file.size === 0 && file.content === undefined) await assertEmpty(file);
    return { contentLength, body, sha256: () => sha256, close: async () => {} };
  } catch (error) {
    throw await fileFailure(error, file);
  }
}

/** What the kernel makes up as it is read has no size. Sent as nothing it would count as uploaded. */
async function assertEmpty(file: FileToSend): Promise<void> {
  const handle = await openFile(diskPathOf(file));
  try {
    const { bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, 0);
    if (bytesRead > 0) throw new SlipwayError('file_unsized');
  } finally {
    await handle.close();
  }
}

async function readWhole(
  file: FileToSend,
  frame: MultipartFrame,
  smallReads: SmallReads,
  clock: Clock,
): Promise<WholeBody> {
  if (file.content !== undefined) return bodyOfBytes(file.content, frame);
  if (!smallReads.onLoop(file.size)) return await readSmallFile(file, frame);
  const startedAtMs = clock.monotonicMs();
  const whole = readSmallFileSync(file, frame);
  smallReads.took(clock.monotonicMs() - startedAtMs);
  return whole;
}
