import type { IncomingMessage } from 'node:http';
import { Dicer } from '@fastify/busboy';
import { type Incoming, type IncomingPlace, openIncoming } from '../../operations/receive/incoming.ts';
import type { ReceivedFile } from '../../operations/receive/incoming-file.ts';
import { badRequest, tooLarge } from '../refusal.ts';
import { type Disposition, parseDisposition } from './disposition.ts';
import { readBody } from './request-body.ts';

const MAX_FIELDS = 20;
const MAX_FIELD_BYTES = 64 * 1024;

/** A form that has come in whole. */
export interface ReceivedForm {
  readonly fields: ReadonlyMap<string, string>;
  readonly file: ReceivedFile;
  /** As the client said it. */
  readonly filename: string;
  /** What the part said of its type; null: nothing. */
  readonly contentType: string | null;
}

export interface FormRules {
  readonly boundary: string;
  /** Form field that carries the file. */
  readonly fileField: string;
  readonly place: IncomingPlace;
  /** The most that stays in memory of a file. */
  readonly memoryBytes: number;
  readonly maxBytes: number;
  /** Whose limit that is, for the message. */
  readonly limitOf: string;
  readonly idleMs: number;
}

/** The boundary of a `multipart/form-data` Content-Type; null: there is none. */
export function boundaryOf(contentType: string): string | null {
  const [, quoted, bare] = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType) ?? [];
  return quoted ?? bare ?? null;
}

/**
 * Reads a multipart form with one file: fields may follow it, so the file is kept until the form has ended well.
 * @throws Refusal 400, 408, 413; ClientGone; SlipwayError of the disk. Nothing is left behind then.
 */
export async function readForm(request: IncomingMessage, rules: FormRules): Promise<ReceivedForm> {
  const form = new FormReading(rules);
  try {
    await readBody(request, (chunk) => form.take(chunk), rules.idleMs);
    return await form.end();
  } catch (error) {
    await form.discard();
    throw error;
  }
}

interface FilePart {
  readonly incoming: Incoming;
  readonly filename: string;
  readonly contentType: string | null;
}

/** One form being read: parts come one after the other, and the first thing wrong ends it. */
class FormReading {
  readonly #rules: FormRules;
  readonly #dicer: Dicer;
  readonly #fields = new Map<string, string>();
  readonly #parts: Promise<void>[] = [];
  readonly #finished: Promise<void>;
  #fieldCount = 0;
  #file: FilePart | null = null;
  #failure: unknown = null;
  #fail: (error: unknown) => void = () => {};

  constructor(rules: FormRules) {
    this.#rules = rules;
    this.#dicer = new Dicer({ boundary: rules.boundary });
    this.#finished = new Promise((resolve, reject) => {
      this.#fail = (error) => {
        this.#failure ??= error;
        reject(error as Error);
      };
      this.#dicer.on('finish', resolve);
      this.#dicer.on('error', () => this.#fail(endedEarly()));
    });
    this.#finished.catch(() => undefined);
    this.#dicer.on('part', (part) => this.#parts.push(this.#readPart(part)));
  }

  take(chunk: Buffer): Promise<void> | null {
    if (this.#failure !== null) throw this.#failure;
    const goesOn = this.#dicer.write(chunk);
    if (this.#failure !== null) throw this.#failure;
    if (goesOn) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#dicer.once('drain', resolve);
    return Promise.race([promise, this.#finished]);
  }

  async end(): Promise<ReceivedForm> {
    this.#dicer.end();
    await this.#finished;
    await Promise.all(this.#parts);
    if (this.#failure !== null) throw this.#failure;
    const file = this.#file;
    if (file === null) {
      const { fileField } = this.#rules;
      throw badRequest(
        'missing_file',
        `the form has no file: send it as a part \`${fileField}\` with a filename`,
        'file',
      );
    }
    const { filename, contentType } = file;
    return { fields: this.#fields, file: await file.incoming.end(), filename, contentType };
  }

  async discard(): Promise<void> {
    this.#failure ??= endedEarly();
    await this.#file?.incoming.discard();
  }

  #readPart(part: Dicer.PartStream): Promise<void> {
    return new Promise((resolve) => {
      let isJunk = true;
      part.on('error', () => {
        this.#fail(endedEarly());
        resolve();
      });
      part.once('end', resolve);
      // A part without an end of its headers never comes to have any: it is junk.
      part.once('header', (header: object) => {
        isJunk = false;
        try {
          this.#readHeader(part, header as Readonly<Record<string, readonly string[]>>);
        } catch (error) {
          this.#fail(error);
          part.resume();
        }
      });
      this.#finished.then(() => isJunk && resolve(), resolve);
    });
  }

  #readHeader(part: Dicer.PartStream, header: Readonly<Record<string, readonly string[]>>): void {
    const said = header['content-disposition']?.[0];
    const disposition = said === undefined ? null : parseDisposition(said);
    if (disposition?.name == null) {
      throw badRequest(
        'nameless_part',
        'a part of the form has no name: give each `Content-Disposition: form-data; name="…"`',
      );
    }
    if (disposition.filename !== null) this.#takeFile(part, disposition, header['content-type']?.[0] ?? null);
    else this.#takeField(part, disposition.name);
  }

  #takeField(part: Dicer.PartStream, name: string): void {
    this.#fieldCount += 1;
    if (this.#fieldCount > MAX_FIELDS) {
      throw badRequest('too_many_fields', `the form has more than ${MAX_FIELDS} text fields`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    part.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_FIELD_BYTES) chunks.push(chunk);
      else
        this.#fail(badRequest('field_too_large', `the field is larger than ${MAX_FIELD_BYTES} bytes`, name));
    });
    part.once('end', () => this.#fields.set(name, Buffer.concat(chunks).toString('utf8')));
  }

  #takeFile(part: Dicer.PartStream, { name, filename }: Disposition, contentType: string | null): void {
    const { fileField, place, memoryBytes, maxBytes, limitOf } = this.#rules;
    // Browsers send a part without a name for a file input that was left empty.
    if (filename === null || filename === '') {
      part.resume();
      return;
    }
    if (this.#file !== null)
      throw badRequest('too_many_files', 'the form has more than one file: send one per request', 'file');
    if (name !== fileField) {
      throw badRequest(
        'missing_file',
        `the form has no file: send it as a part \`${fileField}\` with a filename`,
        'file',
      );
    }
    const incoming = openIncoming(place, memoryBytes);
    this.#file = { incoming, filename, contentType };
    part.on('data', (chunk: Buffer) => {
      if (this.#failure !== null) return;
      if (incoming.bytes() + chunk.length > maxBytes) return this.#fail(tooLarge(maxBytes, limitOf));
      const waiting = incoming.write(chunk);
      if (waiting === null) return;
      part.pause();
      waiting.then(() => void part.resume(), this.#fail);
    });
  }
}

function endedEarly(): Error {
  return badRequest('malformed_form', 'the form ends before its closing boundary: send it whole');
}
