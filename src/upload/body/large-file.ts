import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstatFile, openFile } from '../../platform/files/exact-file.ts';
import { assertSameVersion, diskPathOf, type FileToSend, fileFailure } from '../attempt/file-check.ts';
import { fileChunks } from './file-chunks.ts';
import type { MultipartFrame } from './multipart-body.ts';

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
  const handle = await openFile(diskPathOf(file));
  try {
    const stats = await handle.stat({ bigint: true });
    assertSameVersion(stats, file, null);
    let sha256: string | null = null;
    return {
      body: chunksOf(handle, file, frame, stats, (digest) => {
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
  opened: Pick<BigIntStats, 'dev' | 'ino'>,
  finished: (sha256: string) => void,
): AsyncGenerator<Buffer, void, void> {
  yield frame.head;
  const digest = file.sha256 === undefined ? createHash('sha256') : null;
  try {
    yield* fileChunks(handle, { start: 0, size: file.size }, (chunk) => digest?.update(chunk));
    assertSameVersion(await lstatFile(diskPathOf(file)), file, opened);
  } catch (error) {
    throw await fileFailure(error, file);
  }
  finished(digest?.digest('hex') ?? file.sha256 ?? '');
  yield frame.tail;
}
