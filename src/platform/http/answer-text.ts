import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import type { HttpAnswer } from './http-message.ts';

type Decode = (bytes: Buffer, options: { readonly maxOutputLength: number }) => Buffer;

/** RFC 9110 §8.4.1, and zstd (RFC 8878). `deflate` is zlib's form by the book and the bare one in the wild. */
const DECODERS: Readonly<Record<string, Decode>> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: (bytes, options) => ((bytes[0] ?? 0) % 16 === 8 ? inflateSync : inflateRawSync)(bytes, options),
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

/** What undoing the codings of an answer came to. */
export type DecodedAnswer =
  | { readonly kind: 'text'; readonly text: string }
  /** Larger than `maxBytes` once it is decoded. */
  | { readonly kind: 'too-large' };

/**
 * The body of an answer as text. `identity` is asked for with every request; servers and what stands before them
 * compress all the same. What cannot be decoded comes as it is: nobody will take it for the API's own words.
 * @param maxBytes bound of the decoded body too: a few KiB of gzip may stand for gigabytes
 */
export function answerText(body: Buffer, headers: HttpAnswer['headers'], maxBytes: number): DecodedAnswer {
  const codings = (headers['content-encoding'] ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  let bytes = body;
  try {
    for (const coding of codings.reverse()) {
      const decode = DECODERS[coding];
      if (decode === undefined) break;
      bytes = decode(bytes, { maxOutputLength: maxBytes });
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return { kind: 'too-large' };
  }
  return { kind: 'text', text: decoderOf(headers['content-type'])(bytes) };
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]+)/i;

type ToText = (bytes: Buffer) => string;

const asUtf8: ToText = (bytes) => bytes.toString('utf8');

/** UTF-8 unless the header names another charset that this machine knows (GBK, Shift_JIS …). */
function decoderOf(contentType: string | undefined): ToText {
  const charset = CHARSET.exec(contentType ?? '')?.[1]?.toLowerCase();
  if (charset === undefined || charset === 'utf-8' || charset === 'utf8') return asUtf8;
  try {
    const decoder = new TextDecoder(charset, { ignoreBOM: true });
    return (bytes) => decoder.decode(bytes);
  } catch {
    return asUtf8;
  }
}
