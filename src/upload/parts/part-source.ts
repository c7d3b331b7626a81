import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { SlipwayError } from '../../domain/errors.ts';
import { lstatFile, openFile } from '../../platform/files/exact-file.ts';
import { abortErrorOf, onAbort } from '../../platform/waiting/abort.ts';
import { assertSameVersion, diskPathOf, type FileToSend, fileFailure } from '../attempt/file-check.ts';
import { type FileRange, fileChunks } from '../body/file-chunks.ts';
import type { MultipartFrame } from '../body/multipart-body.ts';

/** One part of a file, whose bytes have gone into the digest of the whole. */
export interface FilePart extends FileRange {
  /** 0 for the first. */
  readonly index: number;
  /** Of its bytes as they were hashed. */
  readonly crc32: number;
}

/** The body of one try to send a part. */
export interface PartBody {
  readonly chunks: AsyncIterable<Buffer>;
  /** Whether every byte has been handed over. */
  wasSent(): boolean;
}

/** A file that is sent in parts, several at once. */
export interface PartSource {
  readonly partCount: number;
  /**
   * Takes the next part, reading it once for the digests: the bytes sent are then read again, mostly from the cache.
   * Parts are handed out in order, whoever asks.
   */
  next(signal: AbortSignal): Promise<FilePart | null>;
  /**
   * The framed bytes of a part, read anew for every try. Its end is sent only when the file is still the same and these
   * bytes are the ones that were hashed: a body that never ends is never stored (G2).
   */
  bodyOf(part: FilePart, frame: MultipartFrame): PartBody;
  /** Digests of the whole file, hex, once every part was taken and the file is still the same (G2). */
  finish(): Promise<{ readonly sha256: string; readonly md5: string }>;
  /** Gives the file back. Safe at any moment, also while a read is under way. */
  close(): Promise<void>;
}

/**
 * Opens and checks a file. Everything throws SlipwayErrors: `file_changed`, `file_vanished`, `file_unreadable`,
 * `source_root_gone`, `read_failed`, `out_of_handles`.
 */
export async function openPartSource(file: FileToSend, partBytes: number): Promise<PartSource> {
  const inOurWords = <T>(work: Promise<T>): Promise<T> =>
    work.catch(async (error: unknown) => {
      throw await fileFailure(error, file);
    });
  const { handle, opened } = await inOurWords(openChecked(file));
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  const partCount = Math.ceil(file.size / partBytes);
  let taken = 0;
  let turn: Promise<unknown> = Promise.resolve();

  async function assertUnchanged(): Promise<void> {
    assertSameVersion(await lstatFile(diskPathOf(file)), file, opened);
  }

  async function takeNext(signal: AbortSignal): Promise<FilePart | null> {
    if (taken === partCount) return null;
    const index = taken;
    taken += 1;
    const start = index * partBytes;
    const size = Math.min(partBytes, file.size - start);
    const checksum = new Checksum();
    const chunks = fileChunks(handle, { start, size }, (chunk) => {
      sha256.update(chunk);
      md5.update(chunk);
      checksum.update(chunk);
    });
    for await (const _ of chunks) signal.throwIfAborted();
    return { index, start, size, crc32: checksum.value };
  }

  async function* framed(
    part: FilePart,
    frame: MultipartFrame,
    sent: () => void,
  ): AsyncGenerator<Buffer, void, void> {
    yield frame.head;
    const checksum = new Checksum();
    try {
      yield* fileChunks(handle, part, (chunk) => checksum.update(chunk));
      await assertUnchanged();
      if (checksum.value !== part.crc32) throw changedUnseen();
    } catch (error) {
      throw await fileFailure(error, file);
    }
    sent();
    yield frame.tail;
  }

  return {
    partCount,
    next(signal) {
      const part = turn.then(() => takeNext(signal));
      turn = part.catch(() => {});
      return unlessAborted(inOurWords(part), signal);
    },
    bodyOf(part, frame) {
      let whole = false;
      const sent = (): void => {
        whole = true;
      };
      return { chunks: framed(part, frame, sent), wasSent: () => whole };
    },
    async finish() {
      await inOurWords(assertUnchanged());
      return { sha256: sha256.digest('hex'), md5: md5.digest('hex') };
    },
    close: () => handle.close(),
  };
}

async function openChecked(
  file: FileToSend,
): Promise<{ readonly handle: FileHandle; readonly opened: BigIntStats }> {
  const handle = await openFile(diskPathOf(file));
  try {
    const opened = await handle.stat({ bigint: true });
    assertSameVersion(opened, file, null);
    return { handle, opened };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Costs next to nothing beside the digests, and shows bytes that changed where size and mtime did not. */
class Checksum {
  value = 0;
  update(chunk: Buffer): void {
    this.value = crc32(chunk, this.value);
  }
}

function changedUnseen(): SlipwayError {
  return new SlipwayError('file_changed', { what: 'its bytes are not the ones read before' });
}

/** A disk that hangs must not hold up an abort. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, () => reject(abortErrorOf(signal)));
    work.then(resolve, reject).finally(stopListening);
  });
}
