import { text as textOf } from 'node:stream/consumers';
import { SlipwayError } from '../domain/errors.ts';
import { type ReceivedBook, receivedId } from '../operations/receive/received-book.ts';
import { askFarSide, farContent, type RemoteAnswer } from '../operations/remote/ask-far-side.ts';
import type { Action } from './paths.ts';
import { badRequest, Refusal } from './refusal.ts';
import { isObject } from './shapes/far-answer.ts';
import { receiptObject } from './shapes/file-object.ts';
import { errorBody, openaiError } from './shapes/openai.ts';
import { ERROR_HEADER, type Reply } from './shapes/shape.ts';
import type { UploadTarget } from './upload-target.ts';

const MOST_LISTED = 10_000;

/** What a list is asked for. */
export interface ListQuery {
  readonly limit: number | null;
  readonly after: string | null;
  readonly order: 'asc' | 'desc' | null;
  readonly purpose: string | null;
}

export interface FilesPlace {
  readonly target: UploadTarget;
  readonly book: ReceivedBook;
}

export type FilesAction = Exclude<Action, { kind: 'upload' }>;

/**
 * Files that are there already: list, retrieve, delete, content.
 * @param search query of the request, without `?`
 * @throws Refusal 400, 404, 501
 */
export async function files(
  action: FilesAction,
  search: string,
  { target, book }: FilesPlace,
  signal: AbortSignal,
): Promise<Reply> {
  try {
    if (action.kind === 'list') return await list(search, { target, book }, signal);
    // A dot segment would be another path at the far side.
    if (/^\.{1,2}$/.test(action.id)) throw unknownId(action.id);
    if (action.kind === 'content') return await content(action.id, target, signal);
    if (!target.destination.remote.can(action.kind)) {
      const known = await ownFile(action.id, { target, book });
      if (action.kind === 'remove') throw notSupported();
      return { status: 200, body: known };
    }
    const answer = await askFarSide(
      target.destination,
      { name: action.kind, id: action.id },
      target.http,
      signal,
    );
    return said(target, answer, (body) => body);
  } catch (error) {
    if (error instanceof SlipwayError) return unreachable(error);
    throw error;
  }
}

/** @throws Refusal 400 naming the parameter */
export function parseListQuery(search: string): ListQuery {
  const query = new URLSearchParams(search);
  const limit = query.get('limit');
  const order = query.get('order');
  const after = query.get('after');
  if (limit !== null && (!/^\d{1,5}$/.test(limit) || Number(limit) < 1 || Number(limit) > MOST_LISTED)) {
    throw badRequest('invalid_limit', `limit must be 1 to ${MOST_LISTED}`, 'limit');
  }
  if (order !== null && order !== 'asc' && order !== 'desc') {
    throw badRequest('invalid_order', 'order must be asc or desc', 'order');
  }
  if (after !== null && (after === '' || after.length > 512)) {
    throw badRequest('invalid_after', 'after must be the id of a file', 'after');
  }
  return { limit: limit === null ? null : Number(limit), order, after, purpose: query.get('purpose') };
}

/** A file that only the door itself knows. @throws Refusal 404 */
async function ownFile(id: string, { target, book }: FilesPlace): Promise<object> {
  const receipt = await book.find(id);
  if (receipt === null || receipt.destination !== target.destination.name) throw unknownId(id);
  return receiptObject(receipt, id);
}

async function ownList(query: ListQuery, { target, book }: FilesPlace): Promise<Reply> {
  const { after, purpose } = query;
  const page = await book.page({
    ...{ after, purpose, order: query.order ?? 'desc', limit: query.limit ?? MOST_LISTED },
    destination: target.destination.name,
  });
  if (page === null) throw badRequest('invalid_after', `there is no file ${JSON.stringify(after)}`, 'after');
  const data = page.receipts.map((receipt) => receiptObject(receipt, receivedId(receipt)));
  const ids = data.map(({ id }) => id);
  return {
    status: 200,
    body: {
      object: 'list',
      data,
      first_id: ids[0] ?? null,
      last_id: ids.at(-1) ?? null,
      has_more: page.hasMore,
    },
  };
}

async function list(search: string, place: FilesPlace, signal: AbortSignal): Promise<Reply> {
  const { target } = place;
  const query = parseListQuery(search);
  if (!target.destination.remote.can('list')) return await ownList(query, place);
  const answer = await askFarSide(target.destination, { name: 'list', query: search }, target.http, signal);
  return said(target, answer, (body) => {
    if (!isObject(body) || !Array.isArray(body.data)) return body;
    const ids = (body.data as unknown[]).map((file) => (isObject(file) ? file.id : null));
    return {
      object: 'list',
      first_id: ids[0] ?? null,
      last_id: ids.at(-1) ?? null,
      has_more: false,
      ...body,
    };
  });
}

async function content(id: string, target: UploadTarget, signal: AbortSignal): Promise<Reply> {
  if (!target.destination.remote.can('content')) throw notSupported();
  const answer = await farContent(target.destination, id, target.http, signal);
  if (answer.status < 200 || answer.status > 299) {
    return said(target, { ...answer, body: await textOf(answer.body) }, (body) => body);
  }
  const kept = ['content-type', 'content-length', 'content-disposition'] as const;
  const headers = Object.fromEntries(
    kept.flatMap((name) => (answer.headers[name] === undefined ? [] : [[name, answer.headers[name] ?? '']])),
  );
  return { status: 200, headers, body: null, stream: answer.body };
}

/** What the far side said, in OpenAI's words where it refused. */
function said({ destination }: UploadTarget, answer: RemoteAnswer, shown: (body: unknown) => unknown): Reply {
  const { status, headers } = answer;
  const body = parsed(answer.body);
  if (status >= 200 && status <= 299) return { status, body: shown(body) };
  const retryAfter = headers['retry-after'];
  const far = { status, body, isJson: typeof body !== 'string', retryAfter: retryAfter ?? null };
  return {
    status: status >= 400 ? status : 502,
    headers: {
      [ERROR_HEADER]: 'upstream',
      ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
      ...(status === 401 || status === 403 ? { 'x-should-retry': 'false' } : {}),
    },
    body: openaiError(destination.definition, far, `HTTP ${status}`, status === 404 ? 'id' : null),
  };
}

function unreachable(error: SlipwayError): Reply {
  const status = error.code === 'timeout' ? 504 : 502;
  return {
    status,
    headers: { [ERROR_HEADER]: 'gateway' },
    body: errorBody(status, error.message, error.code),
  };
}

export function unknownId(id: string): Refusal {
  return new Refusal({
    status: 404,
    code: 'file_not_found',
    message: `there is no file ${JSON.stringify(id.slice(0, 100))}`,
    param: 'id',
  });
}

export function notSupported(): Refusal {
  return new Refusal({
    status: 501,
    code: 'not_supported',
    message: 'this destination has no such call',
    headers: { 'x-should-retry': 'false' },
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
