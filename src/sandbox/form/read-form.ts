import type { IncomingMessage } from 'node:http';
import { type Pace, readBody } from '../http/read-body.ts';
import { ContentHash } from './content-hash.ts';
import { MultipartParser, type PartReceiver } from './multipart-parser.ts';
import { boundaryOf, type PartHead } from './part-head.ts';

export interface TextPart {
  readonly kind: 'text';
  readonly name: string;
  readonly value: string;
}

export interface FilePart {
  readonly kind: 'file';
  readonly name: string;
  readonly filename: string;
  readonly contentType: string | null;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** The content itself, only when it is no larger than `keepBytes`. */
  readonly content: Buffer | null;
}

/**
 * - `form`: every part, in the order sent
 * - `malformed`: `problem` says why; the body was read to its end all the same
 * - `gone`: the client broke off
 */
export type FormResult =
  | { readonly kind: 'form'; readonly parts: readonly (TextPart | FilePart)[] }
  | { readonly kind: 'malformed'; readonly problem: string }
  | { readonly kind: 'gone' };

/** Receives file content as it arrives, to put it somewhere. */
export interface ContentSink {
  write(bytes: Buffer): void;
  /** null, or what to wait for before more is written. */
  pace(): Pace;
}

export interface ReadFormOptions {
  /** File content up to this size is kept with its part. */
  readonly keepBytes?: number;
  /** Where the content of the form's files goes besides being hashed. */
  readonly sink?: ContentSink;
}

/** No text field of any of these APIs is longer. */
const MAX_TEXT_BYTES = 64 * 1024;
const MAX_PARTS = 32;

/** Reads and checks a multipart body in constant memory: files are hashed and dropped. */
export async function readForm(req: IncomingMessage, options: ReadFormOptions = {}): Promise<FormResult> {
  const boundary = boundaryOf(req.headers['content-type']);
  const receiver = new FormReceiver(options);
  const parser = boundary === null ? null : new MultipartParser(boundary, receiver);
  const end = await readBody(req, (chunk) => {
    if (receiver.problem === null) parser?.push(chunk);
    return options.sink?.pace() ?? null;
  });
  parser?.finish();
  if (end === 'gone') return { kind: 'gone' };
  const problem =
    parser === null
      ? 'Content-Type is not multipart/form-data with a boundary'
      : (receiver.problem ?? parser.problem);
  return problem === null ? { kind: 'form', parts: receiver.parts } : { kind: 'malformed', problem };
}

class FormReceiver implements PartReceiver {
  readonly parts: (TextPart | FilePart)[] = [];
  problem: string | null = null;
  readonly #options: ReadFormOptions;
  #head: PartHead = { name: '', filename: null, contentType: null };
  #hash = new ContentHash();
  #kept: Buffer[] = [];

  constructor(options: ReadFormOptions) {
    this.#options = options;
  }

  begin(head: PartHead): void {
    if (this.parts.length === MAX_PARTS) this.problem = 'too many parts';
    this.#head = head;
    this.#hash = new ContentHash();
    this.#kept = [];
  }

  data(bytes: Buffer): void {
    const isFile = this.#head.filename !== null;
    this.#hash.update(bytes);
    if (isFile) this.#options.sink?.write(bytes);
    const { bytes: total } = this.#hash;
    if (total <= (isFile ? (this.#options.keepBytes ?? 0) : MAX_TEXT_BYTES)) this.#kept.push(bytes);
    else this.#kept = [];
    if (!isFile && total > MAX_TEXT_BYTES) this.problem = 'a text field is too long';
  }

  end(): void {
    const { name, filename, contentType } = this.#head;
    if (filename === null) {
      this.parts.push({ kind: 'text', name, value: Buffer.concat(this.#kept).toString('utf8') });
      return;
    }
    const { bytes } = this.#hash;
    // Copied, so that keeping 10 bytes does not keep the 64 KiB they were read with.
    const content = bytes <= (this.#options.keepBytes ?? -1) ? Buffer.concat(this.#kept) : null;
    this.parts.push({ kind: 'file', name, filename, contentType, bytes, sha256: this.#hash.hex(), content });
  }
}
