import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { safeFileName } from '../../operations/receive/file-name.ts';
import type { DirectFile } from '../../operations/upload/direct-file.ts';

/** What the agent runtime hands over. */
export interface RuntimeFile {
  readonly buffer?: Uint8Array;
  readonly name?: string;
  readonly newFilename?: string;
  readonly originalFilename?: string;
  readonly type?: string;
  readonly mimetype?: string;
  /** Where its content lies, when `buffer` is left out. */
  readonly filepath?: string;
  readonly size?: number;
}

/** A file and what is said of it. */
export interface UploadFileInput {
  /** The content: a text is one too, never a path. `{ path }` is a file on disk. */
  readonly file: Blob | Uint8Array | string | { readonly path: string } | RuntimeFile;
  /** Left out: what `file` says of itself. */
  readonly filename?: string;
  readonly purpose?: string;
}

/** A file as OpenAI describes it. */
export interface UploadFileData {
  readonly id: string;
  readonly object: string;
  readonly bytes: number;
  /** Unix seconds. */
  readonly created_at: number;
  readonly filename: string;
  readonly purpose: string;
  readonly status: string;
  readonly status_details?: unknown;
  readonly url?: string;
}

/** A file at hand. */
export interface GivenFile {
  readonly filename: string;
  /** What was said of its type; null: nothing. */
  readonly contentType: string | null;
  /** Its first bytes, where they are at hand. */
  readonly head: Buffer;
  readonly file: Pick<DirectFile, 'folder' | 'fileName' | 'size' | 'mtimeNs' | 'content' | 'stored'>;
}

/**
 * Makes a file of whatever form it was given in.
 * @throws Error with the document's message where there is no name, or no content; the system's where a path has none
 */
export async function givenFile({ file, filename }: UploadFileInput, nowMs: number): Promise<GivenFile> {
  if (typeof file === 'string') return inMemory(Buffer.from(file), filename, null, nowMs);
  if (file instanceof Uint8Array) return inMemory(file, filename, null, nowMs);
  if (file instanceof Blob) {
    const own = 'name' in file && typeof file.name === 'string' ? file.name : undefined;
    return inMemory(new Uint8Array(await file.arrayBuffer()), filename ?? own, file.type || null, nowMs);
  }
  if (typeof file !== 'object' || file === null) throw new Error(NO_CONTENT);
  if ('path' in file) return await onDisk(file.path, filename, null);
  const { buffer, filepath, originalFilename, name, newFilename, mimetype, type } = file as RuntimeFile;
  const said = filename ?? originalFilename ?? name ?? newFilename;
  const contentType = mimetype ?? type ?? null;
  if (buffer !== undefined) return inMemory(buffer, said, contentType, nowMs);
  if (filepath !== undefined) return await onDisk(filepath, said, contentType);
  throw new Error(NO_CONTENT);
}

const NO_NAME = '文件名不能为空';
const NO_CONTENT = '文件内容不能为空';

function inMemory(
  bytes: Uint8Array,
  said: string | undefined,
  contentType: string | null,
  nowMs: number,
): GivenFile {
  if (said === undefined || said === '') throw new Error(NO_NAME);
  const filename = safeFileName(said);
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return {
    ...{ filename, contentType, head: content.subarray(0, 4_100) },
    file: {
      ...{ folder: '/', fileName: Buffer.from(filename), size: content.length, mtimeNs: `${nowMs}000000` },
      content: { bytes: content, sha256 },
    },
  };
}

async function onDisk(
  path: string,
  said: string | undefined,
  contentType: string | null,
): Promise<GivenFile> {
  const absolute = resolve(path);
  const { size, mtimeNs } = await stat(absolute, { bigint: true });
  const filename = safeFileName(said === undefined || said === '' ? basename(absolute) : said);
  return {
    ...{ filename, contentType, head: Buffer.alloc(0) },
    file: {
      ...{ folder: dirname(absolute), fileName: Buffer.from(filename) },
      ...{ stored: basename(absolute), size: Number(size), mtimeNs: String(mtimeNs) },
    },
  };
}
