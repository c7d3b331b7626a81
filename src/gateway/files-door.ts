import { text as textOf } from 'node:stream/consumers';
import { SlipwayError } from '../domain/errors.ts';
import { isReceivedId } from '../domain/received-source.ts';
import { type ReceivedBook, type ReceivedState, receivedId } from '../operations/receive/received-book.ts';
import { askFarSide, farContent, type RemoteAnswer } from '../operations/remote/ask-far-side.ts';
import type { Action } from './paths.ts';
import { badRequest, Refusal } from './refusal.ts';
import { isObject } from './shapes/far-answer.ts';
import { receiptObject, waitingObject } from './shapes/file-object.ts';
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

export type FilesAction = Exclude<Action, { kind: 'upload' | 'resumable' }>;

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
    const state = isReceivedId(action.id) ? await stateHere(action.id, { target, book }) : null;
    if (state !== null) return await ownFile(action, state, target, signal);
    if (action.kind === 'content') return await content(action.id, target, signal);
    if (!target.destination.remote.can(action.kind)) {
      throw unknownId(action.id);
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

/** How a file stands that has an id of the door; null: the door knows none for this destination. */
async function stateHere(id: string, { target, book }: FilesPlace): Promise<ReceivedState | null> {
  const state = await book.stateOf(id);
  if (state === null) return null;
  const { destination } = state.kind === 'waiting' ? state.file : state.receipt;
  return destination === target.destination.name ? state : null;
}

/**
 * A file under an id of the door: it waits, or how it ended is recorded. Once it is at a far side that has such calls, they
 * are made with its id there.
 * @throws Refusal 409, 501
 */
async function ownFile(
  action: Exclude<FilesAction, { kind: 'list' }>,
  state: ReceivedState,
  target: UploadTarget,
  signal: AbortSignal,
): Promise<Reply> {
  const { kind, id } = action;
  if (state.kind === 'waiting') {
    if (kind === 'get') return { status: 200, body: waitingObject(state.file) };
    throw notProcessed('the file still waits to be sent');
  }
  const { receipt } = state;
  if (kind === 'get') return { status: 200, body: receiptObject(receipt, id) };
  const { fileId } = receipt;
  if (fileId === null || receipt.status !== 'uploaded') {
    if (state.bytesKept)
      throw notProcessed('its upload failed: slipway failed retry or discard says what becomes of it');
    throw notSupported();
  }
  if (!target.destination.remote.can(kind)) throw notSupported();
  if (kind === 'content') return await content(fileId, target, signal);
  const answer = await askFarSide(target.destination, { name: 'remove', id: fileId }, target.http, signal);
  return said(target, answer, () => ({ id, object: 'file', deleted: true }));
}

function notProcessed(message: string): Refusal {
  return new Refusal({ status: 409, code: 'file_not_processed', message, param: 'id' });
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
