import type { Readable } from 'node:stream';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import type { DirectResult } from '../../operations/upload/direct-upload.ts';
import type { Refusal } from '../refusal.ts';

export type ShapeName = 'openai' | 'vectorx' | 'autoglm';

/** What is sent back. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Becomes JSON; null: none. */
  readonly body: unknown;
  /** Sent as it is, in place of a body; `headers` say what it is. */
  readonly text?: string;
  /** Sent as it comes, in place of a body. */
  readonly stream?: Readable;
}

/** An upload that ran, and what the caller said of its file. */
export interface UploadEnd {
  readonly result: DirectResult;
  readonly definition: DestinationDefinition;
  /** The safe one. */
  readonly filename: string;
  /** What was asked for, or what the destination has by itself. */
  readonly purpose: string;
  /** The door's own id of it (`file-…`). */
  readonly doorId: string;
  /** Whether files of this destination are asked for at the far side, under its ids. */
  readonly farIds: boolean;
  readonly nowMs: number;
}

/** A file as OpenAI describes it. */
export interface FileObject {
  readonly id: string;
  readonly object: 'file';
  readonly bytes: number;
  /** Unix seconds. */
  readonly created_at: number;
  readonly filename: string;
  readonly purpose: string;
  readonly status: string;
  readonly status_details: unknown;
  readonly [more: string]: unknown;
}

/** One way to speak of uploads. */
export interface Shape {
  readonly name: ShapeName;
  /** Form field of the file. */
  readonly fileField: string;
  refused(refusal: Refusal): Reply;
  ended(end: UploadEnd): Reply;
  /**
   * A file that was taken to be sent later.
   * @param headers among them where it is followed
   */
  queued(file: FileObject, headers: Readonly<Record<string, string>>): Reply;
}

/** Who is to blame for what is no success. */
export const ERROR_HEADER = 'x-slipway-error';
