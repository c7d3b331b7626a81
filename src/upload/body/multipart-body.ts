import { randomUUID } from 'node:crypto';

export interface MultipartParts {
  /** Text parts, in this order, before the file: some APIs read the body as it comes (contract §4). */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly fileField: string;
  /** Exact bytes of the name as the far side shall see it; need not be valid UTF-8. */
  readonly fileName: Buffer;
  /** Of the file part; without control characters. */
  readonly contentType: string;
}

/** What stands around the file's bytes in a multipart/form-data body. */
export interface MultipartFrame {
  /** Value of the request's Content-Type header. */
  readonly contentType: string;
  readonly head: Buffer;
  readonly tail: Buffer;
}

/** Frames one file (RFC 7578; escaping as in the HTML standard, "multipart/form-data encoding algorithm"). */
export function multipartFrame(parts: MultipartParts, boundary: string): MultipartFrame {
  const fields = parts.fields
    .map(
      ([name, value]) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"\r\n\r\n${value}\r\n`,
    )
    .join('');
  const before = `${fields}--${boundary}\r\nContent-Disposition: form-data; name="${escaped(parts.fileField)}"; filename="`;
  const after = `"\r\nContent-Type: ${parts.contentType}\r\n\r\n`;
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    head: Buffer.concat([Buffer.from(before), escapedBytes(parts.fileName), Buffer.from(after)]),
    tail: Buffer.from(`\r\n--${boundary}--\r\n`),
  };
}

/** A boundary nobody can foresee, so that no file can be made to contain it. */
export function newBoundary(): string {
  return `slipway-${randomUUID()}`;
}

/** Browsers escape exactly these three and send everything else raw. */
function escaped(text: string): string {
  return text.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22');
}

/** latin1 maps every byte to one character and back, so bytes that are not UTF-8 come out as they went in. */
function escapedBytes(bytes: Buffer): Buffer {
  return Buffer.from(escaped(bytes.toString('latin1')), 'latin1');
}
