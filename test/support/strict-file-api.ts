import { startHttpServer, type Visit } from './http-server.ts';
import { type ReadPart, readMultipart } from './multipart-reader.ts';

/** A text field: which values are taken (null: any text), and whether it must be there. */
interface FieldRule {
  readonly values: readonly string[] | null;
  readonly required: boolean;
}

/** What a file must be like where a document says so. */
interface FileRule {
  readonly extensions?: readonly string[];
  readonly minBytes?: number;
  /** Characters its name must not have. */
  readonly forbidden?: RegExp;
}

/** One upload call as its service documents it. What no source states is not asked for. */
export interface DocumentedApi {
  /** Address of the real service. */
  readonly url: string;
  /** Header and what must stand before the key in it. */
  readonly auth: { readonly header: string; readonly prefix: string };
  /** Headers that must be there with these very values. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, FieldRule>>;
  /** The documentation says that text fields must come before the file. */
  readonly fieldsFirst?: true;
  readonly file?: FileRule;
  readonly answer: (file: TakenFile) => { readonly status: number; readonly json: string };
  /** An error in the service's own form. */
  readonly error: (message: string, status: number) => unknown;
  readonly id: string;
}

/** One upload that was complete and well-formed. */
export interface TakenFile {
  /** As sent, nothing decoded. */
  readonly filename: string;
  readonly contentType: string;
  readonly content: Buffer;
  readonly fields: Readonly<Record<string, string>>;
}

export interface StrictFileApi {
  /** The same path as the real service, on this machine. */
  readonly url: string;
  readonly taken: readonly TakenFile[];
  /** Why requests were refused. */
  readonly refusals: readonly string[];
}

const BEARER = { header: 'authorization', prefix: 'Bearer ' };
const oneOf = (...values: string[]): FieldRule => ({ values, required: true });
const any = (required: boolean): FieldRule => ({ values: null, required });
const json = (value: unknown, status = 200) => ({ status, json: JSON.stringify(value) });
const openaiError = (message: string) => ({ error: { message, type: 'invalid_request_error' } });
const fileObject = (id: string, file: TakenFile, more: object = {}) => ({
  id,
  object: 'file',
  bytes: file.content.length,
  created_at: 1_795_000_000,
  filename: file.filename,
  purpose: file.fields.purpose,
  ...more,
});

/** Services without a stand-in in the sandbox. */
export const DOCUMENTED: Readonly<Record<string, DocumentedApi>> = {
  anthropic: {
    url: 'https://api.anthropic.com/v1/files',
    auth: { header: 'x-api-key', prefix: '' },
    headers: { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'files-api-2025-04-14' },
    fields: { expires_in_seconds: any(false) },
    file: { forbidden: /[<>:"|?*\\/\p{Cc}]/u },
    id: 'file_011CNha8iCJcU1wXNR6q4V8w',
    answer: ({ filename, contentType, content }) =>
      json({
        id: 'file_011CNha8iCJcU1wXNR6q4V8w',
        type: 'file',
        filename,
        mime_type: contentType,
        size_bytes: content.length,
        created_at: '2026-11-22T00:00:00Z',
      }),
    error: (message) => ({
      type: 'error',
      error: { type: 'invalid_request_error', message },
      request_id: 'req_1',
    }),
  },
  bigmodel: {
    url: 'https://open.bigmodel.cn/api/paas/v4/files',
    auth: BEARER,
    fields: { purpose: oneOf('batch', 'code-interpreter', 'agent', 'voice-clone-input') },
    id: 'file-20261122',
    answer: (file) => json(fileObject('file-20261122', file)),
    error: (message) => ({ error: { code: '1214', message } }),
  },
  coze: {
    url: 'https://api.coze.cn/v1/files/upload',
    auth: BEARER,
    fields: {},
    id: '736949598110202****',
    answer: ({ filename, content }) =>
      json({
        code: 0,
        msg: '',
        data: {
          id: '736949598110202****',
          bytes: content.length,
          created_at: 1_795_000_000,
          file_name: filename,
        },
      }),
    error: (msg, status) => ({ code: status === 401 ? 4100 : 4000, msg }),
  },
  deepseek: {
    url: 'https://api.deepseek.com/files',
    auth: BEARER,
    fields: {
      purpose: oneOf('user_data', 'text_recognition', 'rich_layout_recognition'),
      'expires_after[anchor]': any(false),
      'expires_after[seconds]': any(false),
    },
    fieldsFirst: true,
    id: 'file-api-1',
    answer: (file) => json(fileObject('file-api-1', file)),
    error: openaiError,
  },
  dify: {
    url: 'https://api.dify.ai/v1/files/upload',
    auth: BEARER,
    fields: { user: any(true) },
    id: '72fa9618-8f89-4a37-9b33-7e1178a24a67',
    answer: ({ filename, contentType, content }) =>
      json(
        {
          id: '72fa9618-8f89-4a37-9b33-7e1178a24a67',
          name: filename,
          size: content.length,
          extension: filename.split('.').at(-1),
          mime_type: contentType,
          created_by: '6ad1ab0a',
          created_at: 1_795_000_000,
        },
        201,
      ),
    error: (message, status) => ({
      code: status === 401 ? 'unauthorized' : 'no_file_uploaded',
      message,
      status,
    }),
  },
  groq: {
    url: 'https://api.groq.com/openai/v1/files',
    auth: BEARER,
    fields: { purpose: oneOf('batch') },
    file: { extensions: ['.jsonl'] },
    id: 'file_01jh6x76wtemjr74t1fh0faj5t',
    answer: (file) => json(fileObject('file_01jh6x76wtemjr74t1fh0faj5t', file)),
    error: openaiError,
  },
  kimi: {
    url: 'https://api.moonshot.cn/v1/files',
    auth: BEARER,
    fields: { purpose: oneOf('file-extract', 'image', 'video', 'batch') },
    file: { minBytes: 1 },
    id: 'cnvh1',
    answer: (file) => json(fileObject('cnvh1', file, { status: 'ok', status_details: '' })),
    error: openaiError,
  },
  minimax: {
    url: 'https://api.minimaxi.com/v1/files/upload',
    auth: BEARER,
    fields: { purpose: oneOf('voice_clone', 'prompt_audio', 't2a_async_input', 'video_understanding') },
    // A number beyond what JavaScript's can hold.
    id: '279303195377729999',
    answer: ({ filename, content }) => ({
      status: 200,
      json: `{"file":{"file_id":279303195377729999,"bytes":${content.length},"filename":${JSON.stringify(filename)}},"base_resp":{"status_code":0,"status_msg":"success"}}`,
    }),
    error: (status_msg) => ({ base_resp: { status_code: 2013, status_msg } }),
  },
  mistral: {
    url: 'https://api.mistral.ai/v1/files',
    auth: BEARER,
    fields: { purpose: oneOf('fine-tune', 'batch', 'ocr', 'audio') },
    id: '497f6eca-6276-4993-bfeb-53cbbbba6f09',
    answer: (file) => json(fileObject('497f6eca-6276-4993-bfeb-53cbbbba6f09', file)),
    error: (message) => ({ message }),
  },
  siliconflow: {
    url: 'https://siliconflow.example/v1/files',
    auth: BEARER,
    fields: { purpose: oneOf('batch') },
    id: 'file-s1',
    answer: (file) => json(fileObject('file-s1', file)),
    error: openaiError,
  },
  together: {
    url: 'https://api.together.ai/v1/files/upload',
    auth: BEARER,
    fields: { purpose: any(true), file_name: any(true), file_type: oneOf('csv', 'jsonl', 'parquet') },
    file: { extensions: ['.csv', '.jsonl', '.parquet'] },
    id: 'file-29f34572',
    answer: (file) => json(fileObject('file-29f34572', file, { Processed: true })),
    error: openaiError,
  },
};

/**
 * A server for one test that takes exactly what a service documents and refuses everything else with 400, a wrong key
 * with 401, in the service's own form.
 */
export async function startStrictFileApi(name: string, key: string): Promise<StrictFileApi> {
  const api = DOCUMENTED[name];
  if (api === undefined) throw new Error(`nothing is documented about ${name}`);
  const taken: TakenFile[] = [];
  const refusals: string[] = [];
  const server = await startHttpServer(async (visit) => {
    const body = await visit.body();
    const outcome = judge(api, key, visit.request, body);
    if ('file' in outcome) taken.push(outcome.file);
    if ('problem' in outcome) {
      refusals.push(outcome.problem);
      visit.json(outcome.status, api.error(outcome.problem, outcome.status));
      return;
    }
    const { status, json: text } = api.answer(outcome.file);
    visit.response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  });
  return { url: `${server.origin}${new URL(api.url).pathname}`, taken, refusals };
}

type Outcome =
  | { readonly file: TakenFile }
  /** `file`: the form was right, the file itself is not taken. */
  | { readonly status: number; readonly problem: string; readonly file?: TakenFile };

function judge(api: DocumentedApi, key: string, request: Visit['request'], body: Buffer): Outcome {
  const { method, url, headers } = request;
  const wrong = (problem: string): Outcome => ({ status: 400, problem });
  if (method !== 'POST') return wrong(`method ${method}`);
  if (url !== new URL(api.url).pathname) return wrong(`path ${url}`);
  if (headers[api.auth.header] !== `${api.auth.prefix}${key}`) return { status: 401, problem: 'wrong key' };
  for (const [name, value] of Object.entries(api.headers ?? {})) {
    if (headers[name] !== value) return wrong(`header ${name}: ${String(headers[name])}`);
  }
  if (headers['transfer-encoding'] !== undefined) return wrong('chunked body');
  if (headers['content-length'] !== String(body.length)) return wrong('no exact Content-Length');
  let parts: readonly ReadPart[];
  try {
    parts = readMultipart(body, headers['content-type']);
  } catch (error) {
    return wrong(String(error));
  }
  return judgeParts(api, parts);
}

const TEXT_HEAD = /^Content-Disposition: form-data; name="([^"\r\n]+)"$/;
const FILE_HEAD =
  /^Content-Disposition: form-data; name="file"; filename="([^"\r\n]+)"\r\nContent-Type: ([a-z0-9.+-]+\/[a-z0-9.+-]+)$/;

function judgeParts(api: DocumentedApi, parts: readonly ReadPart[]): Outcome {
  const wrong = (problem: string): Outcome => ({ status: 400, problem });
  const fields: Record<string, string> = {};
  let file: Omit<TakenFile, 'fields'> | null = null;
  for (const { head, content } of parts) {
    const [, field] = TEXT_HEAD.exec(head) ?? [];
    const [, filename, contentType] = FILE_HEAD.exec(head) ?? [];
    if (filename !== undefined && contentType !== undefined && file === null) {
      const name = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(filename, 'latin1'));
      file = { filename: name, contentType, content };
    } else if (field !== undefined && api.fields[field] !== undefined && fields[field] === undefined) {
      if (file !== null && api.fieldsFirst === true) return wrong(`${field} after the file`);
      fields[field] = content.toString('utf8');
    } else {
      return wrong(`part not taken: ${head}`);
    }
  }
  if (file === null) return wrong('no file');
  for (const [name, { values, required }] of Object.entries(api.fields)) {
    const value = fields[name];
    if (value === undefined ? required : value === '' || values?.includes(value) === false)
      return wrong(`field ${name}: ${value}`);
  }
  const whole: TakenFile = { ...file, fields };
  const { extensions, minBytes = 0, forbidden } = api.file ?? {};
  if (extensions?.some((extension) => whole.filename.endsWith(extension)) === false)
    return { status: 400, problem: 'extension', file: whole };
  if (whole.content.length < minBytes) return { status: 400, problem: 'empty file', file: whole };
  if (forbidden?.test(whole.filename) === true) return { status: 400, problem: 'file name', file: whole };
  return { file: whole };
}
