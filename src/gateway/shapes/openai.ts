import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import type { UploadErrorKind } from '../../domain/errors.ts';
import { codeIn, type FarAnswer, farAnswer, isObject, messageIn, retryAfterSeconds } from './far-answer.ts';
import { fileObject, moreOf } from './file-object.ts';
import { ERROR_HEADER, type Reply, type Shape, type UploadEnd } from './shape.ts';

/** `…/v1/files`: statuses and bodies as the OpenAI client reads them. */
export const openaiShape: Shape = {
  name: 'openai',
  fileField: 'file',
  refused: ({ status, code, message, param, headers }) => ({
    status,
    headers: { ...headers, [ERROR_HEADER]: 'gateway' },
    body: errorBody(status, message, code, param),
  }),
  ended: (end) => (end.result.receipt.status === 'uploaded' ? accepted(end) : failed(end)),
  queued: (file, headers) => ({ status: 202, headers, body: file }),
};

/** All four keys are always there: the client reads each. */
export function errorBody(
  status: number,
  message: string,
  code: string | number | null,
  param: string | null = null,
): object {
  return { error: { message, type: typeOf(status), param, code } };
}

function accepted(end: UploadEnd): Reply {
  const { receipt } = end.result;
  const id = end.farIds && receipt.fileId !== null ? receipt.fileId : end.doorId;
  const more = {
    url: receipt.url,
    ref: receipt.ref,
    sha256: receipt.sha256,
    ...(end.farIds ? {} : { remote_id: receipt.fileId }),
  };
  return { status: 200, body: { ...moreOf(end), ...fileObject(end, id), ...more } };
}

function failed(end: UploadEnd): Reply {
  const far = farAnswer(end);
  const { error } = end.result.receipt;
  const seconds = retryAfterSeconds(end);
  const kind = error?.kind as UploadErrorKind | undefined;
  const status = statusOf(end, far, kind, error?.code ?? '');
  const again = far?.retryAfter ?? (seconds === null ? null : String(seconds));
  const headers = {
    [ERROR_HEADER]: far === null ? 'gateway' : 'upstream',
    ...(again === null ? {} : { 'retry-after': again }),
    // No repetition mends an exhausted account, refused credentials or a refused file.
    ...(kind === 'exhausted' || kind === 'misconfigured' || kind === 'unauthenticated' || kind === 'rejected'
      ? { 'x-should-retry': 'false' }
      : {}),
  };
  const message = error?.message ?? 'the upload failed';
  if (far === null || (far.status >= 200 && far.status <= 299)) {
    const code = far === null ? (error?.code ?? null) : (codeIn(end, far.body) ?? error?.code ?? null);
    const said = far === null ? message : (messageIn(end, far.body) ?? message);
    return { status, headers, body: errorBody(status, said, code) };
  }
  return { status, headers, body: openaiError(end.definition, far, message, null) };
}

/**
 * The far side's own body, with an `error` of four keys in it.
 * @param param said where the far side names none
 */
export function openaiError(
  definition: DestinationDefinition,
  far: FarAnswer,
  fallback: string,
  param: string | null,
): object {
  const body = isObject(far.body) ? far.body : {};
  const own = isObject(body.error) ? body.error : {};
  const said = typeof own.message === 'string' ? own.message : messageIn({ definition }, far.body);
  const text =
    typeof far.body === 'string' && far.body.trim() !== '' ? far.body.trim().slice(0, 1_000) : null;
  return {
    ...body,
    error: {
      ...own,
      message: said ?? text ?? fallback,
      type: typeof own.type === 'string' ? own.type : typeOf(far.status),
      param: typeof own.param === 'string' ? own.param : param,
      code: own.code ?? codeIn({ definition }, far.body),
    },
  };
}

/** A refusal keeps its status. What hides in a 200, or never came, gets the one it would have had. */
function statusOf(
  end: UploadEnd,
  far: FarAnswer | null,
  kind: UploadErrorKind | undefined,
  code: string,
): number {
  if (far === null)
    return code === 'timeout' ? 504 : code === 'no_turn' ? 503 : kind === 'throttled' ? 429 : 502;
  if (far.status >= 400) return far.status;
  if (far.status < 200 || far.status > 299) return 502;
  if (end.definition.answer.codeIsHttpStatus) {
    const inBody = Number(codeIn(end, far.body) ?? Number.NaN);
    if (inBody >= 400 && inBody <= 599) return inBody;
  }
  switch (kind) {
    case 'unauthenticated':
      return 401;
    case 'throttled':
    case 'exhausted':
      return 429;
    case 'rejected':
      return 400;
    case 'misconfigured':
      return code === 'token_refused' ? 401 : 403;
    default:
      return 502;
  }
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
