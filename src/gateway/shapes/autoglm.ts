import { randomBytes } from 'node:crypto';
import { codeIn, failureHeaders, farAnswer, isObject, messageIn } from './far-answer.ts';
import { ERROR_HEADER, type Reply, type Shape, type UploadEnd } from './shape.ts';

/** AutoGLM's own: a malformed request, and trouble on the server's side. */
const MALFORMED = 400_003;
const SERVER_TROUBLE = 500_000;

/** `POST …/agentdr/v1/assistant/upload-mix`: HTTP 200 whenever the upload ran, `code` tells how. */
export const autoglmShape: Shape = {
  name: 'autoglm',
  fileField: 'files',
  refused: ({ status, message, headers }) => ({
    status,
    headers: { ...headers, [ERROR_HEADER]: 'gateway' },
    body: envelope(MALFORMED, message, null),
  }),
  ended: (end) => (end.result.receipt.status === 'uploaded' ? accepted(end) : failed(end)),
  queued: ({ id, filename }, headers) => ({
    status: 202,
    headers,
    // Its URL comes into being with its upload.
    body: envelope(0, 'SUCCESS', { message: '', oss_info: [{ filename, oss_name: id, oss_url: null }] }),
  }),
};

function accepted(end: UploadEnd): Reply {
  const { receipt } = end.result;
  const { remote } = receipt;
  // AutoGLM's own answer goes through as it is, but for an URL that it left unescaped.
  if (isObject(remote) && isObject(remote.data) && Array.isArray(remote.data.oss_info)) {
    const [first, ...others] = remote.data.oss_info as unknown[];
    const info = isObject(first) ? [{ ...first, oss_url: receipt.url ?? first.oss_url }, ...others] : [first];
    return { status: 200, body: { ...remote, data: { ...remote.data, oss_info: info } } };
  }
  const info = {
    filename: end.filename,
    oss_name: receipt.fileId ?? end.doorId,
    oss_url: receipt.url ?? receipt.ref,
  };
  return { status: 200, body: envelope(0, 'SUCCESS', { message: '', oss_info: [info] }, end.nowMs) };
}

function failed(end: UploadEnd): Reply {
  const { receipt } = end.result;
  const far = farAnswer(end);
  const headers = failureHeaders(end, far);
  const reason = receipt.error?.message ?? 'the upload failed';
  if (end.definition.signer.kind === 'md5-appid' && far !== null) {
    const code = Number(codeIn(end, far.body) ?? Number.NaN);
    if (Number.isInteger(code) && code !== 0) {
      return {
        status: 200,
        headers,
        body:
          isObject(far.body) && 'code' in far.body
            ? far.body
            : envelope(code, messageIn(end, far.body) ?? reason, null),
      };
    }
  }
  return { status: 200, headers, body: envelope(SERVER_TROUBLE, reason, null) };
}

function envelope(code: number, msg: string, data: unknown, nowMs = Date.now()): object {
  return { code, msg, time: nowMs, trace: randomBytes(16).toString('hex'), data };
}
