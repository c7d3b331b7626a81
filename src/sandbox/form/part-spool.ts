import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pace } from '../http/read-body.ts';
import type { ContentSink } from './read-form.ts';

/** A part being written. */
export interface SpooledPart extends ContentSink {
  /** Waits until all of it is on disk; false when it could not be written. */
  finish(): Promise<boolean>;
}

/**
 * Parts of unfinished Uploads, on disk: only when the order of the parts is known, at the end, can the file be
 * hashed, and an Upload may have 8 GB.
 */
export class PartSpool {
  #folder: Promise<string> | null = null;

  async open(partId: string): Promise<SpooledPart> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'slipway-sandbox-'));
    return spooledPart(join(await this.#folder, partId));
  }

  /** SHA-256 and MD5, in hex, of the parts put together in this order. */
  async hash(partIds: readonly string[]): Promise<{ sha256: string; md5: string }> {
    const [sha256, md5] = [createHash('sha256'), createHash('md5')];
    const folder = await this.#folder;
    for (const id of folder === null ? [] : partIds) {
      for await (const chunk of createReadStream(join(String(folder), id), { highWaterMark: 1024 * 1024 })) {
        sha256.update(chunk);
        md5.update(chunk);
      }
    }
    return { sha256: sha256.digest('hex'), md5: md5.digest('hex') };
  }

  async drop(partIds: Iterable<string>): Promise<void> {
    const folder = await this.#folder;
    if (folder === null) return;
    for (const id of partIds) await rm(join(folder, id), { force: true });
  }

  async close(): Promise<void> {
    const folder = await this.#folder;
    if (folder !== null) await rm(folder, { recursive: true, force: true });
  }
}

function spooledPart(path: string): SpooledPart {
  const stream = createWriteStream(path);
  let failed = false;
  const settled = new Promise<void>((resolve) => {
    stream.once('close', resolve);
    stream.once('error', () => {
      failed = true;
      resolve();
    });
  });
  return {
    write(bytes) {
      if (!failed) stream.write(bytes);
    },
    pace(): Pace {
      if (failed || !stream.writableNeedDrain) return null;
      return Promise.race([
        once(stream, 'drain').then(
          () => undefined,
          () => undefined,
        ),
        settled,
      ]);
    },
    async finish() {
      stream.end();
      await settled;
      return !failed;
    },
  };
}
