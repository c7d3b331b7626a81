import { createHash, type Hash } from 'node:crypto';
import { chmod, type FileHandle, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { FileStore } from '@tus/file-store';
import { Upload } from '@tus/server';
import type { ByteBudget } from '../../operations/receive/byte-budget.ts';

/** Unfinished uploads are given up after it. */
export const TUS_EXPIRY_MS = 24 * 60 * 60 * 1_000;
/** What `Upload-Checksum` may be of. */
export const CHECKSUM_ALGORITHMS: readonly string[] = ['sha1', 'sha256', 'md5'];

/** Said of the bytes of one request. */
export interface Checksum {
  readonly algorithm: string;
  /** Base64. */
  readonly value: string;
}

/** What the door adds to the metadata of an upload: who may go on with it. */
export interface UploadOwner {
  readonly route: string;
  readonly key: string;
  readonly request: string;
}

/** An answer of the protocol other than success. */
export interface TusRefusal {
  readonly status_code: number;
  readonly body: string;
}

export const NOT_FOUND: TusRefusal = { status_code: 404, body: 'there is no such upload\n' };
const GONE: TusRefusal = { status_code: 410, body: 'the upload is no longer there\n' };
const FULL: TusRefusal = { status_code: 503, body: 'as much is waiting as spool.maxBytes allows\n' };
const MISMATCH: TusRefusal = { status_code: 460, body: 'Checksum Mismatch\n' };

const OWN = 'slipway';

export interface TusStoreOptions {
  /** Absolute; exists, 0700. */
  readonly folder: string;
  /** What lies unfinished is taken from it. */
  readonly disk: ByteBudget;
  /** What the request under way says of its bytes; null: nothing. */
  readonly checksum: () => Checksum | null;
  /** Whether an upload was handed on: its bytes lie elsewhere, and it is complete. */
  readonly handedOn: (id: string) => boolean;
}

/**
 * The library's file store, whose bytes count as spool, are checked where the client says a checksum, and are gone once they
 * have been handed on.
 */
export class TusStore extends FileStore {
  readonly #options: TusStoreOptions;

  constructor(options: TusStoreOptions) {
    super({ directory: options.folder, expirationPeriodInMilliseconds: TUS_EXPIRY_MS });
    this.#options = options;
    this.extensions = ['creation', 'creation-with-upload', 'termination', 'expiration', 'checksum'];
  }

  pathOf(id: string): string {
    return join(this.#options.folder, id);
  }

  /** Who began an upload; null: nobody knows it. */
  async ownerOf(id: string): Promise<(UploadOwner & { readonly upload: Upload }) | null> {
    const upload = await this.configstore.get(id).catch(() => undefined);
    const said = upload?.metadata?.[OWN];
    if (upload === undefined || typeof said !== 'string') return null;
    return { ...(JSON.parse(said) as UploadOwner), upload };
  }

  override async create(upload: Upload): Promise<Upload> {
    const created = await super.create(upload);
    await chmod(this.pathOf(upload.id), 0o600);
    return created;
  }

  override async getUpload(id: string): Promise<Upload> {
    const known = await this.ownerOf(id);
    if (known === null) throw NOT_FOUND;
    const { size, creation_date, metadata } = known.upload;
    const handedOn = this.#options.handedOn(id);
    const offset = handedOn ? size : (await stat(this.pathOf(id)).catch(() => null))?.size;
    if (offset === undefined) throw GONE;
    const facts = {
      ...{ id, offset, metadata: withoutOwner(metadata) },
      ...(size === undefined ? {} : { size }),
      ...(creation_date === undefined ? {} : { creation_date }),
    };
    return new Upload(facts);
  }

  override async write(readable: Readable, id: string, offset: number): Promise<number> {
    const checksum = this.#options.checksum();
    const hash = checksum === null ? null : createHash(checksum.algorithm);
    let file: FileHandle | null = null;
    let at = offset;
    try {
      for await (const chunk of readable as AsyncIterable<Buffer>) {
        file ??= await open(this.pathOf(id), 'r+').catch(() => {
          throw GONE;
        });
        if (!this.#options.disk.take(chunk.length)) throw FULL;
        at += chunk.length;
        await writeWhole(file, chunk, at - chunk.length);
        hash?.update(chunk);
      }
      if (checksum !== null && !matches(hash, checksum)) throw MISMATCH;
      return at;
    } catch (error) {
      // Of a piece with a checksum either all of it stays or nothing.
      await this.#takeBack(id, checksum === null ? null : offset, at);
      throw error;
    } finally {
      await file?.close();
    }
  }

  override async remove(id: string): Promise<void> {
    const { size = 0 } = (await stat(this.pathOf(id)).catch(() => null)) ?? {};
    await rm(this.pathOf(id), { force: true });
    this.#options.disk.giveBack(size);
    await this.configstore.delete(id).catch(() => undefined);
  }

  /**
   * What lies there from before: counted; what is over its time, or belongs to nothing, is removed.
   * @param counted whether it is counted already
   * @returns those whose bytes are all there
   */
  async sweep(nowMs: number, counted: boolean): Promise<string[]> {
    const complete: string[] = [];
    for (const name of await readdir(this.#options.folder)) {
      const id = /^([0-9a-f]{32})(?:\.json)?$/.exec(name)?.[1];
      if (id === undefined) await rm(join(this.#options.folder, name), { force: true });
      else if (name === id && !counted) this.#options.disk.holds((await stat(this.pathOf(id))).size);
    }
    for (const id of new Set((await readdir(this.#options.folder)).map((name) => name.slice(0, 32)))) {
      const known = await this.ownerOf(id);
      const bornMs = Date.parse(known?.upload.creation_date ?? '');
      const isOver = known !== null && !(nowMs - bornMs < TUS_EXPIRY_MS);
      const size = (await stat(this.pathOf(id)).catch(() => null))?.size;
      // Without its record it is being created, or was when the door was killed.
      if (isOver || (known === null && !counted)) await this.remove(id);
      else if (known !== null && size !== undefined && size === known.upload.size) complete.push(id);
    }
    return complete;
  }

  /** @param to how much of it stays; null: what got there */
  async #takeBack(id: string, to: number | null, counted: number): Promise<void> {
    if (to !== null) await truncate(this.pathOf(id), to).catch(() => undefined);
    const size = (await stat(this.pathOf(id)).catch(() => null))?.size ?? 0;
    this.#options.disk.giveBack(Math.max(0, counted - size));
  }
}

/** The metadata of an upload with who began it. */
export function withOwner(metadata: Upload['metadata'], owner: UploadOwner): NonNullable<Upload['metadata']> {
  return { ...withoutOwner(metadata), [OWN]: JSON.stringify(owner) };
}

function withoutOwner(metadata: Upload['metadata']): NonNullable<Upload['metadata']> {
  const { [OWN]: _, ...said } = metadata ?? {};
  return said;
}

function matches(hash: Hash | null, { value }: Checksum): boolean {
  return hash?.digest('base64') === value;
}

async function writeWhole(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}
