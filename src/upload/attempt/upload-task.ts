import type { Log } from '../../domain/log.ts';
import type { HttpAnswer, HttpRequest } from '../../platform/http/http-message.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import type { SmallReads } from '../body/small-reads.ts';
import type { FileToSend } from './file-check.ts';
import { partContentType } from './part-content-type.ts';

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
