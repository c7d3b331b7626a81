import { randomUUID } from 'node:crypto';
import { browserEscaped } from '../../destinations/definition/sent-name.ts';

export interface MultipartParts {
  /** Text parts, in this order, before the file: some APIs read the body as it comes (contract §4). */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly fileField: string;
  /** What stands in `filename="…"`: nothing in it needs escaping. */
  readonly fileName: string;
  /** What stands behind `filename*=`; null or left out: none does. */
  readonly extendedName?: string | null;
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
        `--${boundary}\r\nContent-Disposition: form-data; name="${browserEscaped(name)}"\r\n\r\n${value}\r\n`,
    )
    .join('');
  const { fileField, fileName, extendedName = null, contentType } = parts;
  const extended = extendedName === null ? '' : `; filename*=${extendedName}`;
  const disposition = `form-data; name="${browserEscaped(fileField)}"; filename="${fileName}"${extended}`;
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    head: Buffer.from(
      `${fields}--${boundary}\r\nContent-Disposition: ${disposition}\r\nContent-Type: ${contentType}\r\n\r\n`,
    ),
    tail: Buffer.from(`\r\n--${boundary}--\r\n`),
  };
}

/** A boundary nobody can foresee, so that no file can be made to contain it. */
export function newBoundary(): string {
  return `slipway-${randomUUID()}`;
}
