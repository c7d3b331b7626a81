import { createHash } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { SNIFFED_BYTES } from './content-type.ts';
import type { ReceivedFile } from './incoming-file.ts';

const READ_BYTES = 512 * 1024;

/**
 * A file that has come in piece by piece and is whole now. It is read once, in constant memory; its room on disk stays
 * taken, and nothing removes it but who keeps it.
 * @throws SlipwayError `data_dir`
 */
export async function receivedFileAt(path: string): Promise<ReceivedFile> {
  const digest = createHash('sha256');
  let head: Buffer = Buffer.alloc(0);
  let bytes = 0;
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new SlipwayError('data_dir', { path, reason: reasonOf(error) }, { cause: error });
  });
  try {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, null);
      if (bytesRead === 0) break;
      const chunk = buffer.subarray(0, bytesRead);
      digest.update(chunk);
      if (head.length < SNIFFED_BYTES)
        head = Buffer.concat([head, chunk.subarray(0, SNIFFED_BYTES - head.length)]);
      bytes += bytesRead;
    }
    const { mtimeNs } = await file.stat({ bigint: true });
    const time = { mtimeNs: String(mtimeNs) };
    return {
      ...{ bytes, head, sha256: digest.digest('hex') },
      place: { kind: 'disk', folder: dirname(path), name: basename(path), ...time },
      async keepAt(to) {
        await syncAndMove(path, to);
        return time;
      },
      release: async () => undefined,
    };
  } finally {
    await file.close();
  }
}

async function syncAndMove(path: string, to: string): Promise<void> {
  try {
    const file = await open(path, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(path, to);
  } catch (error) {
    throw new SlipwayError('data_dir', { path, reason: reasonOf(error) }, { cause: error });
  }
}
