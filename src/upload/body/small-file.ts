import { hash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, lstatSync, readSync } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { READ_FLAGS } from '../../platform/files/exact-file.ts';
import { below, inFolder, openFileSync, splitPath } from '../../platform/files/exact-folder.ts';
import { assertSameVersion, diskPathOf, type FileToSend, truncated } from '../attempt/file-check.ts';
import type { MultipartFrame } from './multipart-body.ts';

/** A small file framed in one Buffer: one write on the wire. */
export interface WholeBody {
  readonly body: Buffer;
  /** Hex, of the file's bytes. */
  readonly sha256: string;
}

/** A file that came in as bytes: its digest was made on the way. */
export function bodyOfBytes(
  { bytes, sha256 }: { readonly bytes: Buffer; readonly sha256: string },
  { head, tail }: MultipartFrame,
): WholeBody {
  return { body: Buffer.concat([head, bytes, tail]), sha256 };
}

/** Reads on the event loop: see small-reads.ts for when. Throws SlipwayError `file_changed` or the system's error. */
export function readSmallFileSync(file: FileToSend, frame: MultipartFrame): WholeBody {
  const path = diskPathOf(file);
  const fd = openFileSync(path, READ_FLAGS);
  const body = framed(file, frame);
  let opened: BigIntStats;
  try {
    opened = fstatSync(fd, { bigint: true });
    assertSameVersion(opened, file, null);
    for (let done = 0; done < file.size; ) {
      const bytes = readSync(fd, body, frame.head.length + done, file.size - done, done);
      if (bytes === 0) throw truncated();
      done += bytes;
    }
  } finally {
    closeSync(fd);
  }
  // Over a link put on the way meanwhile it is the same file, or another, which is refused.
  assertSameVersion(lstatSync(path, { bigint: true }), file, opened);
  return { body, sha256: sha256Of(body, file, frame) };
}

/** The same through the thread pool: slower for the processor, but a slow disk holds up nothing else. */
export async function readSmallFile(file: FileToSend, frame: MultipartFrame): Promise<WholeBody> {
  const { parent, name } = splitPath(diskPathOf(file));
  return await inFolder(parent, async (at) => {
    const path = below(at, name);
    await using handle = await open(path, READ_FLAGS);
    const opened = await handle.stat({ bigint: true });
    assertSameVersion(opened, file, null);
    const body = framed(file, frame);
    for (let done = 0; done < file.size; ) {
      const { bytesRead } = await handle.read(body, frame.head.length + done, file.size - done, done);
      if (bytesRead === 0) throw truncated();
      done += bytesRead;
    }
    assertSameVersion(await lstat(path, { bigint: true }), file, opened);
    return { body, sha256: sha256Of(body, file, frame) };
  });
}

function framed(file: FileToSend, { head, tail }: MultipartFrame): Buffer {
  const body = Buffer.allocUnsafe(head.length + file.size + tail.length);
  head.copy(body, 0);
  tail.copy(body, head.length + file.size);
  return body;
}

function sha256Of(body: Buffer, file: FileToSend, { head }: MultipartFrame): string {
  return hash('sha256', body.subarray(head.length, head.length + file.size), 'hex');
}
