import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { ByteBudget } from './byte-budget.ts';
import { SNIFFED_BYTES } from './content-type.ts';
import type { ReceivedFile } from './incoming-file.ts';

/** Up to here a file stays in memory; it is what the upload sends in one write as well. */
export const MEMORY_BYTES = 1024 * 1024;
/** Chunks of a socket are small: fewer, larger writes halve what a large file costs. */
const WRITE_BYTES = 256 * 1024;

/** Where files come in. */
export interface IncomingPlace {
  /** Absolute; exists, 0700. Whatever lies in it is nobody's after a restart. */
  readonly folder: string;
  /** Of small files, all together. */
  readonly memory: ByteBudget;
  /** Of the others, all together. */
  readonly disk: ByteBudget;
}

/** One file on its way in. One write at a time. */
export interface Incoming {
  /**
   * @returns null: it may go on at once; else when it may. Rejects with SlipwayError `spool_full`, `disk_full`,
   *   `data_dir`
   */
  write(chunk: Buffer): Promise<void> | null;
  /** Bytes so far. */
  bytes(): number;
  /** The file is whole. Throws as `write` does. */
  end(): Promise<ReceivedFile>;
  /** It will not be. Leaves nothing behind, also while a write is under way. */
  discard(): Promise<void>;
}

/**
 * Takes a file in: up to 1 MiB in memory, where there is room, else into a file of mode 0600.
 * @param memoryBytes the most that stays in memory; less where the destination sends smaller files in parts
 */
export function openIncoming(place: IncomingPlace, memoryBytes = MEMORY_BYTES): Incoming {
  return new IncomingBytes(place, memoryBytes);
}

class IncomingBytes implements Incoming {
  readonly #place: IncomingPlace;
  readonly #memoryBytes: number;
  readonly #digest = createHash('sha256');
  readonly #name = randomUUID();
  #bytes = 0;
  #head: Buffer = Buffer.alloc(0);
  /** Not written yet; all of it as long as the file is in memory. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Taken from the budgets. */
  #inMemory = 0;
  #onDisk = 0;
  #handle: FileHandle | null = null;
  #writing: Promise<void> = Promise.resolve();
  #released = false;

  constructor(place: IncomingPlace, memoryBytes: number) {
    this.#place = place;
    this.#memoryBytes = memoryBytes;
  }

  bytes(): number {
    return this.#bytes;
  }

  write(chunk: Buffer): Promise<void> | null {
    this.#digest.update(chunk);
    const missing = SNIFFED_BYTES - this.#head.length;
    if (missing > 0) this.#head = Buffer.concat([this.#head, chunk.subarray(0, missing)]);
    this.#bytes += chunk.length;
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#handle === null && this.#bytes <= this.#memoryBytes && this.#place.memory.take(chunk.length)) {
      this.#inMemory += chunk.length;
      return null;
    }
    if (this.#handle !== null && this.#heldBytes < WRITE_BYTES) return null;
    this.#writing = this.#flush();
    return this.#writing;
  }

  async end(): Promise<ReceivedFile> {
    const facts = { bytes: this.#bytes, head: this.#head, release: () => this.discard() };
    if (this.#handle === null) {
      // Always a copy: a chunk is a view into the whole buffer that the socket read into.
      const content = Buffer.concat(this.#held);
      this.#held = [];
      return {
        ...facts,
        sha256: this.#digest.digest('hex'),
        place: { kind: 'memory', content },
        keepAt: (path) => this.#keepAt(path, content),
      };
    }
    this.#writing = this.#flush();
    await this.#writing;
    const { mtimeNs } = await this.#handle.stat({ bigint: true });
    const { folder } = this.#place;
    return {
      ...facts,
      sha256: this.#digest.digest('hex'),
      place: { kind: 'disk', folder, name: this.#name, mtimeNs: String(mtimeNs) },
      keepAt: (path) => this.#keepAt(path, null),
    };
  }

  async discard(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    await this.#writing.catch(() => undefined);
    this.#held = [];
    this.#place.memory.giveBack(this.#inMemory);
    if (this.#handle !== null) {
      await this.#handle.close().catch(() => undefined);
      await rm(this.#path(), { force: true }).catch(() => undefined);
    }
    this.#place.disk.giveBack(this.#onDisk);
  }

  /** @param content null: it lies on disk */
  async #keepAt(path: string, content: Buffer | null): Promise<{ readonly mtimeNs: string }> {
    if (content !== null) {
      if (!this.#place.disk.take(content.length)) throw new SlipwayError('spool_full');
      this.#onDisk = content.length;
    }
    try {
      // From here on `discard` closes it, and removes what has not got to its place.
      this.#handle ??= await open(this.#path(), 'wx', 0o600);
      if (content !== null) await this.#handle.writeFile(content);
      await this.#handle.sync();
      const { mtimeNs } = await this.#handle.stat({ bigint: true });
      await rename(this.#path(), path);
      this.#onDisk = 0;
      return { mtimeNs: String(mtimeNs) };
    } catch (error) {
      throw diskFailure(error, this.#place.folder);
    }
  }

  async #flush(): Promise<void> {
    if (this.#heldBytes === 0) return;
    if (!this.#place.disk.take(this.#heldBytes)) throw new SlipwayError('spool_full');
    this.#onDisk += this.#heldBytes;
    const chunks = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    try {
      this.#handle ??= await open(this.#path(), 'wx', 0o600);
      for (let rest = chunks; rest.length > 0; ) {
        const { bytesWritten } = await this.#handle.writev(rest);
        rest = after(rest, bytesWritten);
      }
    } catch (error) {
      throw diskFailure(error, this.#place.folder);
    }
    this.#place.memory.giveBack(this.#inMemory);
    this.#inMemory = 0;
  }

  #path(): string {
    return join(this.#place.folder, this.#name);
  }
}

function diskFailure(error: unknown, path: string): SlipwayError {
  const reason = reasonOf(error);
  return reason === 'ENOSPC' || reason === 'EDQUOT'
    ? new SlipwayError('disk_full', { path }, { cause: error })
    : new SlipwayError('data_dir', { path, reason }, { cause: error });
}

/** What is left to write; a full disk may take less than it was given. */
function after(chunks: readonly Buffer[], written: number): Buffer[] {
  let skip = written;
  const rest: Buffer[] = [];
  for (const chunk of chunks) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      rest.push(chunk.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}
