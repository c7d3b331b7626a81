import { read } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { RandomAccessReader, ZipFile } from 'yauzl';

/** What yauzl counts by: the file is closed when nothing reads it any more. Its types leave it out. */
interface Counted {
  ref(): void;
}

const READ_BYTES = 64 * 1024;

/** The packed bytes of a zip whose directory was read already: yauzl would trust its end record. */
export function openZipData(file: FileHandle, fileBytes: number): ZipFile {
  const reader = new FileReader(file);
  (reader as unknown as Counted).ref();
  return new ZipFile(reader, 0, fileBytes, 0, '', false, true, false, false);
}

class FileReader extends RandomAccessReader {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    super();
    this.#file = file;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return rangeOf(this.#file.fd, start, end);
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    read(this.#file.fd, buffer, offset, length, position, callback);
  }

  override close(callback: (error: Error | null) => void): void {
    this.#file.close().then(() => callback(null), callback);
  }
}

/** Bytes of a file that stays open when this ends: a stream of Node's own would close it. */
function rangeOf(fd: number, start: number, end: number): Readable {
  let position = start;
  return new Readable({
    highWaterMark: READ_BYTES,
    read() {
      const wanted = Math.min(READ_BYTES, end - position);
      if (wanted <= 0) return void this.push(null);
      read(fd, Buffer.allocUnsafe(wanted), 0, wanted, position, (error, bytesRead, bytes) => {
        if (error !== null) this.destroy(error);
        else {
          position += bytesRead;
          this.push(bytesRead === 0 ? null : bytes.subarray(0, bytesRead));
        }
      });
    },
  });
}
