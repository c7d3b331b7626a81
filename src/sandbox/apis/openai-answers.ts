import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { jsonReply, type Outcome, type Reply, refused } from '../http/reply.ts';
import type { ShelfPage, ShelvedFile } from './file-shelf.ts';

export interface ErrorFields {
  readonly message: string;
  readonly type?: string;
  readonly param?: string | null;
  readonly code?: string | null;
}

/** A new id with a prefix, as `file-0af3…`. */
export function newId(prefix: string): string {
  return `${prefix}${randomUUID().replaceAll('-', '').slice(0, 24)}`;
}

/** `{error:{message,type,param,code}}`, request id in the header. */
export function openaiError(
  status: number,
  { message, type = 'invalid_request_error', param = null, code = null }: ErrorFields,
): Reply {
  return jsonReply(status, { error: { message, type, param, code } }, requestId());
}

/** An error reply, counted under its status and code. */
export function openaiRefusal(status: number, fields: ErrorFields): Outcome {
  return refused(`${status} ${fields.code ?? fields.message}`, openaiError(status, fields));
}

export function openaiAnswer(value: unknown): Reply {
  return jsonReply(200, value, requestId());
}

/** A page of a listing. */
export function listAnswer({ files, hasMore }: ShelfPage, describe: (file: ShelvedFile) => unknown) {
  return {
    object: 'list',
    data: files.map(describe),
    first_id: files[0]?.id ?? null,
    last_id: files.at(-1)?.id ?? null,
    has_more: hasMore,
  };
}

/**
 * Whether a request carries a usable key.
 * @param apiKey the only one taken; null: any
 */
export function bearerAccepted(req: IncomingMessage, apiKey: string | null): boolean {
  const key = /^Bearer ([\x21-\x7e]+)$/i.exec(req.headers.authorization ?? '')?.[1];
  return key !== undefined && (apiKey === null || key === apiKey);
}

function requestId(): Readonly<Record<string, string>> {
  return { 'x-request-id': `req_${randomUUID().replaceAll('-', '')}` };
}
