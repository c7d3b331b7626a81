import { createHash, randomBytes } from 'node:crypto';
import { type RawAnswer, rawRequest } from './raw-http.ts';

export interface ScriptUpload {
  readonly autoglmUrl: string;
  readonly tokenUrl: string;
  readonly filename: string;
  readonly content: Buffer;
  readonly contentType: string;
  /** Seconds; default: now. */
  readonly timestamp?: number;
  /** Changes the request's header lines, in order, before they are sent. */
  readonly headers?: (lines: string[]) => string[];
  /** Changes the body after it is built; Content-Length follows. */
  readonly body?: (body: Buffer) => Buffer;
}

/** The token as the script reads it: text, trimmed, with the prefix added where it is missing. */
export async function scriptToken(tokenUrl: string): Promise<string> {
  const text = (await (await fetch(tokenUrl)).text()).trim();
  return text.toLowerCase().startsWith('bearer ') ? text : `Bearer ${text}`;
}

/** X-Auth-Sign, written out a second time so that the sandbox is not checked by its own code. */
export function scriptSign(timestamp: number | string): string {
  return createHash('md5')
    .update(['100003', String(timestamp), '38d2391985e2369a5fb8227d8e6cd5e5'].join('&'))
    .digest('hex');
}

/** One upload in the byte form of the original Python script: its boundary, its one part, urllib's headers. */
export async function scriptUpload(upload: ScriptUpload): Promise<RawAnswer> {
  const { autoglmUrl, tokenUrl, filename, content, contentType } = upload;
  const timestamp = upload.timestamp ?? Math.floor(Date.now() / 1_000);
  const boundary = `----WebKitFormBoundary${randomBytes(8).toString('hex')}`;
  const built = Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="files"; filename="${filename}"\r\n`),
    Buffer.from(`Content-Type: ${contentType}\r\n\r\n`),
    content,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  const body = upload.body?.(built) ?? built;
  const { host, pathname } = new URL(autoglmUrl);
  const lines = [
    'Accept-Encoding: identity',
    `Content-Length: ${body.length}`,
    `Host: ${host}`,
    'User-Agent: Python-urllib/3.12',
    `Authorization: ${await scriptToken(tokenUrl)}`,
    `Content-Type: multipart/form-data; boundary=${boundary}`,
    'X-Auth-Appid: 100003',
    `X-Auth-Timestamp: ${timestamp}`,
    `X-Auth-Sign: ${scriptSign(timestamp)}`,
    'Connection: close',
  ];
  const head = [`POST ${pathname} HTTP/1.1`, ...(upload.headers?.(lines) ?? lines)].join('\r\n');
  return rawRequest(autoglmUrl, [`${head}\r\n\r\n`, body]);
}
