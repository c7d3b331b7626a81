import { FIELD } from './autoglm-api.ts';

/** Enough for the head of one part with a name of 255 bytes. */
const FRONT_BYTES = 1024;

/**
 * Checks one multipart body as it streams by, in constant memory: it begins with the boundary, its part is a file
 * under the right name, and it ends with the closing boundary.
 */
export class FormCheck {
  readonly #open: string;
  readonly #close: Buffer;
  #front: Buffer = Buffer.alloc(0);
  #end: Buffer = Buffer.alloc(0);

  constructor(boundary: string) {
    this.#open = `--${boundary}\r\n`;
    this.#close = Buffer.from(`\r\n--${boundary}--`);
  }

  push(chunk: Buffer): void {
    if (this.#front.length < FRONT_BYTES) {
      const more = chunk.subarray(0, FRONT_BYTES - this.#front.length);
      this.#front = this.#front.length === 0 ? more : Buffer.concat([this.#front, more]);
    }
    const keep = this.#close.length + 2;
    this.#end = chunk.length >= keep ? chunk : Buffer.concat([this.#end, chunk]).subarray(-keep);
  }

  /** @returns the file's name, or why the body is refused */
  finish(): { readonly filename: string } | { readonly problem: string } {
    const front = this.#front.toString('utf8');
    if (!front.startsWith(this.#open)) return { problem: 'the body does not begin with its boundary' };
    const head = front.slice(this.#open.length, front.indexOf('\r\n\r\n'));
    const named = /^content-disposition: form-data; name="([^"]*)"; filename="([^"]+)"/im.exec(head);
    if (named === null || named[1] !== FIELD) return { problem: `the part is no file named ${FIELD}` };
    const tail = this.#end.subarray(-this.#close.length - 2);
    // The line break after the closing boundary is optional (RFC 2046 §5.1.1).
    const closed =
      tail.subarray(-this.#close.length).equals(this.#close) ||
      (tail.subarray(0, -2).equals(this.#close) && tail.toString('latin1').endsWith('\r\n'));
    return closed ? { filename: named[2] ?? '' } : { problem: 'the closing boundary is missing' };
  }
}
