import { type PartHead, parsePartHead } from './part-head.ts';

/** Who receives the parts, in order: begin, any number of data, end. The data may be kept: nobody reuses it. */
export interface PartReceiver {
  begin(head: PartHead): void;
  data(bytes: Buffer): void;
  end(): void;
}

/** More than any name or type needs, and a bound on what is held back while looking for the end of the headers. */
const MAX_HEAD_BYTES = 16 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');
const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;
const EMPTY = Buffer.alloc(0);

/**
 * What is expected next:
 * - `opening`: the first delimiter, at once (no preamble); then `delimited`
 * - `delimited`: CRLF leads to `head`, `--` to `closed`
 * - `head`: the part's headers up to the empty line; then `body`
 * - `body`: bytes up to the next delimiter; then `delimited`
 * - `closed`: nothing but one optional CRLF
 */
type State = 'opening' | 'delimited' | 'head' | 'body' | 'closed';

/**
 * Streaming multipart/form-data parser that refuses what is not exactly in form. A general parser forgives a missing
 * end, a preamble or a broken header, and a client tested only against that one fails at the real service.
 * Holds back less than one delimiter of body, whatever the size of the parts.
 */
export class MultipartParser {
  /** Why the body is not in form; once set, nothing further is looked at. */
  problem: string | null = null;
  #state: State = 'opening';
  #rest: Buffer = EMPTY;
  #sawFinalCrlf = false;
  readonly #delimiter: Buffer;
  readonly #receiver: PartReceiver;

  constructor(boundary: string, receiver: PartReceiver) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
    this.#receiver = receiver;
  }

  push(chunk: Buffer): void {
    if (this.problem !== null) return;
    const input = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let position = 0;
    for (;;) {
      const next = this.#step(input, position);
      if (next === null || this.problem !== null) break;
      position = next;
    }
    this.#rest = position === input.length ? EMPTY : input.subarray(position);
  }

  /** Says that no more comes. */
  finish(): void {
    if (this.problem === null && (this.#state !== 'closed' || this.#rest.length > 0)) {
      this.problem = 'the body ends before the closing delimiter';
    }
  }

  /** Consumes from `position`; the new position, or null when more bytes are needed to go on. */
  #step(input: Buffer, position: number): number | null {
    switch (this.#state) {
      case 'opening':
        return this.#opening(input, position);
      case 'delimited':
        return this.#delimited(input, position);
      case 'head':
        return this.#head(input, position);
      case 'body':
        return this.#body(input, position);
      case 'closed':
        return this.#closed(input, position);
    }
  }

  #opening(input: Buffer, position: number): number | null {
    const opening = this.#delimiter.subarray(2);
    const end = position + opening.length;
    if (input.length < end) return null;
    if (!opening.equals(input.subarray(position, end)))
      return this.#fail('the body does not begin with the delimiter');
    this.#state = 'delimited';
    return end;
  }

  #delimited(input: Buffer, position: number): number | null {
    if (input.length < position + 2) return null;
    const [first, second] = [input[position], input[position + 1]];
    if (first === CR && second === LF) this.#state = 'head';
    else if (first === DASH && second === DASH) this.#state = 'closed';
    else return this.#fail('a delimiter followed by neither a line end nor the closing mark');
    return position + 2;
  }

  #head(input: Buffer, position: number): number | null {
    const end = input.indexOf(HEAD_END, position);
    if ((end === -1 ? input.length : end) - position > MAX_HEAD_BYTES)
      return this.#fail('part headers are too long');
    if (end === -1) return null;
    const result = parsePartHead(input.subarray(position, end));
    if ('problem' in result) return this.#fail(result.problem);
    this.#receiver.begin(result.head);
    this.#state = 'body';
    return end + HEAD_END.length;
  }

  #body(input: Buffer, position: number): number | null {
    const end = input.indexOf(this.#delimiter, position);
    if (end !== -1) {
      if (end > position) this.#receiver.data(input.subarray(position, end));
      this.#receiver.end();
      this.#state = 'delimited';
      return end + this.#delimiter.length;
    }
    const safeEnd = Math.max(position, startOfPossible(this.#delimiter, input));
    if (safeEnd === position) return null;
    this.#receiver.data(input.subarray(position, safeEnd));
    return safeEnd;
  }

  #closed(input: Buffer, position: number): number | null {
    if (input.length === position) return null;
    if (this.#sawFinalCrlf) return this.#fail('bytes after the closing delimiter');
    if (input.length < position + 2) return null;
    if (input[position] !== CR || input[position + 1] !== LF)
      return this.#fail('bytes after the closing delimiter');
    this.#sawFinalCrlf = true;
    return position + 2;
  }

  #fail(problem: string): null {
    this.problem = problem;
    return null;
  }
}

/** Where a delimiter may have begun that the next bytes would complete; the length of `input` when nowhere. */
function startOfPossible(delimiter: Buffer, input: Buffer): number {
  let start = input.indexOf(CR, Math.max(0, input.length - delimiter.length + 1));
  while (start !== -1) {
    if (delimiter.subarray(0, input.length - start).equals(input.subarray(start))) return start;
    start = input.indexOf(CR, start + 1);
  }
  return input.length;
}
