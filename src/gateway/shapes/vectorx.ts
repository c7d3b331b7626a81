import { codeIn, failureHeaders, farAnswer, isObject, messageIn } from './far-answer.ts';
import { fileObject } from './file-object.ts';
import { ERROR_HEADER, type Reply, type Shape, type UploadEnd } from './shape.ts';

/** What the document says where nobody gives a reason. */
const UPLOAD_FAILED = '文件上传失败';

/** `POST …/upload-openai-file`: HTTP 200 whenever the upload ran, `code` tells how. */
export const vectorxShape: Shape = {
  name: 'vectorx',
  fileField: 'file',
  refused: ({ status, message, headers }) => ({
    status,
    headers: { ...headers, [ERROR_HEADER]: 'gateway' },
    body: { code: status, msg: message },
  }),
  ended(end) {
    const { receipt } = end.result;
    return receipt.status === 'uploaded' ? accepted(end) : failed(end);
  },
  queued: (file, headers) => ({ status: 202, headers, body: { code: 0, msg: 'success', data: file } }),
};

function accepted(end: UploadEnd): Reply {
  const { fileId, url } = end.result.receipt;
  const data = { ...fileObject(end, fileId ?? end.doorId), ...(url === null ? {} : { url }) };
  return { status: 200, body: { code: 0, msg: 'success', data } };
}

function failed(end: UploadEnd): Reply {
  const { receipt } = end.result;
  const far = farAnswer(end);
  const headers = failureHeaders(end, far);
  const reply = (code: number, msg: string, data?: unknown): Reply => ({
    status: 200,
    headers,
    body: { code, msg, ...(data === undefined ? {} : { data }) },
  });
  if (far === null) return reply(-1, receipt.error?.message || UPLOAD_FAILED);
  if (far.status < 200 || far.status > 299) {
    return reply(far.status, errorMessageOf(far.body) ?? UPLOAD_FAILED, far.body);
  }
  // An API that refuses inside a 200: its own code. One that speaks this very shape needs no second wrapping.
  const code = Number(codeIn(end, far.body) ?? Number.NaN);
  if (!Number.isInteger(code) || code === 0) return reply(-1, receipt.error?.message || UPLOAD_FAILED);
  const own =
    isObject(far.body) && 'msg' in far.body && 'code' in far.body && end.definition.answer.codeIsHttpStatus;
  const data = own ? (far.body as { data?: unknown }).data : far.body;
  return reply(code, messageIn(end, far.body) ?? UPLOAD_FAILED, data);
}

/** `error.message`, as the runtime reads it. */
function errorMessageOf(body: unknown): string | null {
  const error = isObject(body) ? body.error : null;
  const message = isObject(error) ? error.message : null;
  return typeof message === 'string' && message !== '' ? message : null;
}
