import { extname } from 'node:path/posix';
import { lookup } from 'mime-types';
import type { Log } from '../../domain/log.ts';
import type { HttpAnswer, HttpRequest } from '../../platform/http/http-message.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import type { SmallReads } from '../body/small-reads.ts';
import type { FileToSend } from './file-check.ts';

/** One file version and how it is to be presented. */
export interface UploadTask extends FileToSend {
  /** Of the file part, instead of the one its extension tells. */
  readonly contentTypeOverride?: string;
}

/** Sends one request (platform/http/http-client.ts). */
export type HttpSend = (request: HttpRequest) => Promise<HttpAnswer>;

export interface UploadContext {
  readonly clock: Clock;
  /** Gives the job back. */
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly smallReads: SmallReads;
}

/**
 * Folders are the user's business; the far side gets the last part of the path, always as valid UTF-8: a name that is
 * not goes with U+FFFD in the place of what cannot be read, as strict servers refuse anything else.
 */
export function baseNameOf(task: UploadTask): string {
  const { path } = task.name;
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Of the file part: by extension unless the task says otherwise. */
export function contentTypeOf(task: UploadTask): string {
  return task.contentTypeOverride ?? partContentType(baseNameOf(task));
}

const UNKNOWN = 'application/octet-stream';

/** Looked up once per extension: an archive has millions of files and a dozen of these. */
const types = new Map<string, string>();
const MAX_TYPES = 1_000;

/**
 * Content type of the file part, by the extension of its name.
 * @param baseName last part of the path; a name that is all extension (`.png`) or has none is of no known type
 */
export function partContentType(baseName: string): string {
  const extension = extname(baseName);
  if (extension === '') return UNKNOWN;
  let type = types.get(extension);
  if (type === undefined) {
    type = lookup(extension) || UNKNOWN;
    if (types.size < MAX_TYPES) types.set(extension, type);
  }
  return type;
}
