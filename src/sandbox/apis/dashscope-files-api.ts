import { fileAndFields } from '../form/form-fields.ts';
import { type FilePart, readForm } from '../form/read-form.ts';
import type { ApiContext, Exchange } from '../http/exchange.ts';
import { type ApiManners, GONE, jsonReply, type Outcome, type Reply } from '../http/reply.ts';
import type { SandboxLimits } from '../options.ts';
import { TokenBucket } from '../trouble/token-bucket.ts';
import type { FileShelf, ShelvedFile } from './file-shelf.ts';
import {
  bearerAccepted,
  listAnswer,
  newId,
  openaiAnswer,
  openaiError,
  openaiRefusal,
} from './openai-answers.ts';

const MEBIBYTE = 1024 * 1024;
const MAX_PAGE = 2_000;
const EXTRACT_EXTENSION = /\.(txt|docx|pdf|xlsx|epub|mobi|md|csv|json|bmp|png|jpe?g|gif)$/i;
const ID_PREFIX: Readonly<Record<string, string>> = {
  'file-extract': 'file-fe-',
  batch: 'file-batch-',
  'fine-tune': 'file-ft-',
};

/** DashScope's OpenAI-compatible Files: exactly `file` and `purpose`, slow rates, a while of processing. */
export class DashscopeFilesApi implements ApiManners {
  readonly #context: ApiContext;
  readonly #shelf: FileShelf;
  readonly #limits: SandboxLimits;
  readonly #apiKey: string | null;
  readonly #processingMs: number;
  readonly #uploads: TokenBucket;
  readonly #queries: TokenBucket;

  constructor(
    context: ApiContext,
    shelf: FileShelf,
    options: { limits: SandboxLimits; apiKey: string | null; processingMs: number },
  ) {
    this.#context = context;
    this.#shelf = shelf;
    this.#limits = options.limits;
    this.#apiKey = options.apiKey;
    this.#processingMs = options.processingMs;
    const { dashscopeUploadsPerSecond: uploads, dashscopeQueriesPerSecond: queries } = options.limits;
    this.#uploads = new TokenBucket(uploads, Math.max(1, Math.floor(uploads)));
    this.#queries = new TokenBucket(queries, Math.max(1, Math.floor(queries)));
  }

  /** POST {base}/files */
  async upload(exchange: Exchange): Promise<Outcome> {
    const { req } = exchange;
    const unauthorized = this.#refusalOf(exchange);
    if (unauthorized !== null) return unauthorized;
    const form = await readForm(req);
    if (form.kind === 'gone') return GONE;
    if (!this.#uploads.take(this.#context.now())) return this.throttled();
    if (form.kind === 'malformed') return invalid(form.problem);
    const content = fileAndFields(form.parts, 'file', ['purpose']);
    if (content.kind === 'no-file') return invalid("'file' is a required property");
    if (content.kind !== 'ok') return invalid(`Extra or repeated form field: ${content.name}`);
    const { file, fields } = content;
    const problem = extractProblem(fields.purpose ?? '', file, this.#limits.dashscopeExtractMaxBytes);
    if (problem !== null) return invalid(problem);
    if (this.#shelf.size >= this.#limits.dashscopeMaxFiles) {
      const message = `The account holds ${this.#limits.dashscopeMaxFiles} files: delete some.`;
      return openaiRefusal(429, { message, code: 'insufficient_quota' });
    }
    const attempt = this.#context.log.arrived('dashscope', file.sha256);
    return {
      kind: 'accepted',
      filename: file.filename,
      store: () => this.#store(req, file, fields, attempt),
    };
  }

  /** GET {base}/files */
  list(exchange: Exchange): Outcome {
    const refusal = this.#refusalOfQuery(exchange);
    if (refusal !== null) return refusal;
    const { query } = exchange;
    const limit = Number(query.get('limit') ?? MAX_PAGE);
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE)
      return invalid(`limit is 1 to ${MAX_PAGE}`);
    const purpose = query.get('purpose');
    const accepts = (file: ShelvedFile) => purpose === null || file.purpose === purpose;
    const page = this.#shelf.list({ after: query.get('after'), limit, order: 'asc', accepts });
    if (page === null) return invalid(`Invalid file [id:${query.get('after')}]`);
    const { object, data, has_more } = listAnswer(page, (file) => this.#fileObject(file));
    return { kind: 'answered', reply: openaiAnswer({ object, data, has_more }) };
  }

  /** GET {base}/files/{id} */
  retrieve(exchange: Exchange): Outcome {
    const refusal = this.#refusalOfQuery(exchange);
    if (refusal !== null) return refusal;
    const file = this.#shelf.get(exchange.params[0] ?? '');
    return file === null
      ? notFound(exchange)
      : { kind: 'answered', reply: openaiAnswer(this.#fileObject(file)) };
  }

  /** DELETE {base}/files/{id} */
  delete(exchange: Exchange): Outcome {
    const refusal = this.#refusalOfQuery(exchange);
    if (refusal !== null) return refusal;
    const file = this.#shelf.get(exchange.params[0] ?? '');
    if (file === null) return notFound(exchange);
    const store = () => {
      this.#shelf.delete(file.id);
      return openaiAnswer({ object: 'file', deleted: true, id: file.id });
    };
    return { kind: 'accepted', filename: file.filename, store };
  }

  throttled(): Outcome {
    return openaiRefusal(429, {
      message: 'Requests rate limit exceeded, please try again later.',
      code: 'Throttling.RateQuota',
    });
  }

  overloaded(): Outcome {
    return openaiRefusal(503, {
      message: 'The service is busy.',
      type: 'server_error',
      code: 'ServiceUnavailable',
    });
  }

  /** `other` is the native shape, seen where the request never reached the compatible layer. */
  coded({ code, message, status, shape }: Parameters<ApiManners['coded']>[0]): Reply {
    const httpStatus = status ?? (code === 'insufficient_quota' ? 429 : 400);
    if (shape === 'other')
      return jsonReply(httpStatus, { code: String(code), message, request_id: newId('') });
    return openaiError(httpStatus, { message, code: String(code) });
  }

  #store(
    req: Exchange['req'],
    file: FilePart,
    fields: Readonly<Record<string, string>>,
    attempt: number,
  ): Reply {
    const nowMs = this.#context.now();
    const { purpose = '' } = fields;
    const { bytes, filename } = file;
    const id = newId(ID_PREFIX[purpose] ?? 'file-');
    const shelved = {
      id,
      bytes,
      createdAtSeconds: Math.floor(nowMs / 1_000),
      filename,
      purpose,
      expiresAtSeconds: null,
      readyAtMs: nowMs + this.#processingMs,
    };
    this.#shelf.put(shelved, null);
    this.#context.log.stored(req, { api: 'dashscope', id, url: null, file, fields, attempt });
    return openaiAnswer(this.#fileObject(shelved));
  }

  #refusalOf({ req }: Exchange): Outcome | null {
    if (bearerAccepted(req, this.#apiKey)) return null;
    return openaiRefusal(401, { message: 'Incorrect API key provided.', code: 'invalid_api_key' });
  }

  #refusalOfQuery(exchange: Exchange): Outcome | null {
    const refusal = this.#refusalOf(exchange);
    return refusal ?? (this.#queries.take(this.#context.now()) ? null : this.throttled());
  }

  #fileObject({ id, bytes, createdAtSeconds, filename, purpose, readyAtMs }: ShelvedFile) {
    const status = this.#context.now() < readyAtMs ? 'processing' : 'processed';
    return {
      id,
      object: 'file',
      bytes,
      created_at: createdAtSeconds,
      filename,
      purpose,
      status,
      status_details: null,
    };
  }
}

/** Why DashScope does not take this file for this purpose; null: it does. VectorX hands its files on to it. */
export function extractProblem(
  purpose: string,
  { filename, bytes }: FilePart,
  extractMaxBytes: number,
): string | null {
  const maxBytes = { 'file-extract': extractMaxBytes, batch: 500 * MEBIBYTE, 'fine-tune': 300 * MEBIBYTE }[
    purpose
  ];
  if (maxBytes === undefined) return `Invalid purpose: '${purpose}'`;
  const known = purpose === 'file-extract' ? EXTRACT_EXTENSION.test(filename) : /\.jsonl$/i.test(filename);
  if (!known) return `file ${filename}: format is not supported`;
  return bytes > maxBytes ? `file exceeds size limit (${maxBytes} bytes)` : null;
}

function invalid(message: string): Outcome {
  return openaiRefusal(400, { message, code: 'InvalidParameter' });
}

function notFound({ params }: Exchange): Outcome {
  return openaiRefusal(404, { message: `File [id:${params[0]}] cannot be found.`, code: 'InvalidParameter' });
}
