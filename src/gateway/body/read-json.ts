import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { type IncomingPlace, openIncoming } from '../../operations/receive/incoming.ts';
import { badRequest, tooLarge } from '../refusal.ts';
import { readBody } from './request-body.ts';
import type { ReceivedForm } from './upload-form.ts';

const MAX_DEPTH = 8;

/** The document's own schema, with its own messages. */
export const jsonUploadSchema = z.object({
  filename: z.string('文件名不能为空').min(1, '文件名不能为空').describe('name of the file'),
  fileContent: z
    .string('文件内容不能为空')
    .min(1, '文件内容不能为空')
    .describe('content of the file, base64'),
  purpose: z.string().optional().describe('what the file is for; default file-extract'),
  mimeType: z.string().optional().describe('content type of the file'),
});

export interface JsonRules {
  readonly place: IncomingPlace;
  readonly maxJsonBytes: number;
  readonly maxBytes: number;
  readonly limitOf: string;
  readonly memoryBytes: number;
  readonly idleMs: number;
}

/**
 * Reads `{filename, fileContent, purpose?, mimeType?}`.
 * @throws Refusal 400, 408, 413; ClientGone; SlipwayError of the disk
 */
export async function readJsonUpload(request: IncomingMessage, rules: JsonRules): Promise<ReceivedForm> {
  const { filename, fileContent, purpose, mimeType } = parseUpload(await readText(request, rules));
  const content = base64Bytes(fileContent);
  if (content.length > rules.maxBytes) throw tooLarge(rules.maxBytes, rules.limitOf, 'fileContent');
  const incoming = openIncoming(rules.place, rules.memoryBytes);
  try {
    await incoming.write(content);
    const fields = new Map(purpose === undefined ? [] : [['purpose', purpose] as const]);
    return { fields, file: await incoming.end(), filename, contentType: mimeType ?? null };
  } catch (error) {
    await incoming.discard();
    throw error;
  }
}

async function readText(request: IncomingMessage, { maxJsonBytes, idleMs }: JsonRules): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  await readBody(
    request,
    (chunk) => {
      bytes += chunk.length;
      if (bytes > maxJsonBytes) throw tooLarge(maxJsonBytes, 'a JSON body (gateway.maxJsonBytes)', null);
      chunks.push(chunk);
      return null;
    },
    idleMs,
  );
  return Buffer.concat(chunks);
}

/** @throws Refusal 400 */
export function parseUpload(text: Buffer): z.output<typeof jsonUploadSchema> {
  // Before it is parsed: millions of brackets would become millions of objects.
  if (depthOf(text) > MAX_DEPTH)
    throw badRequest('invalid_json', `the body is nested deeper than ${MAX_DEPTH} levels`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch {
    throw badRequest('invalid_json', 'the body is not JSON in UTF-8');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest('invalid_json', 'the body is not a JSON object');
  }
  const parsed = jsonUploadSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badRequest(
    'invalid_request',
    issue?.message ?? 'the body is not as documented',
    String(issue?.path[0] ?? ''),
  );
}

function base64Bytes(text: string): Buffer {
  const bare = text.replace(/[\r\n\t ]+/g, '');
  const whole =
    /^[A-Za-z0-9+/]*={0,2}$/.test(bare) && bare.length % 4 === (bare.endsWith('=') ? 0 : bare.length % 4);
  if (!whole || bare.replace(/=+$/, '').length % 4 === 1) {
    throw badRequest('invalid_base64', 'fileContent is not base64', 'fileContent');
  }
  return Buffer.from(bare, 'base64');
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** How deep arrays and objects are nested; stops counting once it is too deep. */
function depthOf(text: Buffer): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === QUOTE) at = endOfString(text, at);
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > deepest) deepest = depth;
      if (deepest > MAX_DEPTH) return deepest;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return deepest;
}

function endOfString(text: Buffer, start: number): number {
  for (let at = start; ; ) {
    at = text.indexOf(QUOTE, at + 1);
    if (at === -1) return text.length;
    let slashes = 0;
    while (text[at - 1 - slashes] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
}
