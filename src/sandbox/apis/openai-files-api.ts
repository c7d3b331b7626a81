import { fileAndFields } from '../form/form-fields.ts';
import { type FilePart, readForm } from '../form/read-form.ts';
import type { ApiContext, Exchange } from '../http/exchange.ts';
import { type ApiManners, GONE, type Outcome, type Reply } from '../http/reply.ts';
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
import {
  ANCHOR_FIELD,
  BATCH_EXPIRY_SECONDS,
  badRequest,
  expiryProblem,
  purposeProblem,
  SECONDS_FIELD,
} from './openai-rules.ts';

const MAX_PAGE = 10_000;
const MAX_KEPT_CONTENT_BYTES = 64 * 1024;

/** OpenAI Files: create, list, retrieve, delete, content. */
export class OpenaiFilesApi implements ApiManners {
  readonly #context: ApiContext;
  readonly #shelf: FileShelf;
  readonly #limits: SandboxLimits;
  readonly #apiKey: string | null;
  readonly #uploads: TokenBucket;

  constructor(context: ApiContext, shelf: FileShelf, limits: SandboxLimits, apiKey: string | null) {
    this.#context = context;
    this.#shelf = shelf;
    this.#limits = limits;
    this.#apiKey = apiKey;
    this.#uploads = new TokenBucket(limits.openaiUploadsPerMinute / 60, limits.openaiUploadsPerMinute);
  }

  /** The refusal of a request without a usable key; null: go on. */
  refusalOf({ req }: Exchange): Outcome | null {
    if (bearerAccepted(req, this.#apiKey)) return null;
    return openaiRefusal(401, { message: 'Incorrect API key provided.', code: 'invalid_api_key' });
  }

  /** POST /v1/files */
  async upload(exchange: Exchange): Promise<Outcome> {
    const { req } = exchange;
    const unauthorized = this.refusalOf(exchange);
    if (unauthorized !== null) return unauthorized;
    const form = await readForm(req, { keepBytes: MAX_KEPT_CONTENT_BYTES });
    if (form.kind === 'gone') return GONE;
    if (form.kind === 'malformed') return badRequest(form.problem, null);
    if (!this.#uploads.take(this.#context.now())) return this.throttled();
    const content = fileAndFields(form.parts, 'file', ['purpose', ANCHOR_FIELD, SECONDS_FIELD]);
    if (content.kind === 'no-file') return badRequest("'file' is a required property", 'file');
    if (content.kind !== 'ok')
      return badRequest(`Unknown or repeated parameter: '${content.name}'.`, content.name);
    const { file, fields } = content;
    const problem = purposeProblem(fields.purpose, file.filename, file.bytes) ?? expiryProblem(fields);
    if (problem !== null) return problem;
    if (file.bytes > this.#limits.openaiMaxFileBytes) {
      return openaiRefusal(413, {
        message: `File is too large: at most ${this.#limits.openaiMaxFileBytes} bytes.`,
        param: 'file',
      });
    }
    const attempt = this.#context.log.arrived('openai', file.sha256);
    return {
      kind: 'accepted',
      filename: file.filename,
      store: () => this.store(exchange, file, fields, attempt),
    };
  }

  /** Keeps a file and answers with its object. */
  store({ req }: Exchange, file: FilePart, fields: Readonly<Record<string, string>>, attempt: number): Reply {
    return openaiAnswer(openaiFileObject(this.keep(req, file, fields, attempt)));
  }

  /** Keeps a file. */
  keep(
    req: Exchange['req'],
    file: FilePart,
    fields: Readonly<Record<string, string>>,
    attempt: number,
  ): ShelvedFile {
    const createdAtSeconds = Math.floor(this.#context.now() / 1_000);
    const { purpose = '' } = fields;
    const lifetime = fields[SECONDS_FIELD] ?? (purpose === 'batch' ? BATCH_EXPIRY_SECONDS : null);
    const expiresAtSeconds = lifetime === null ? null : createdAtSeconds + Number(lifetime);
    const { filename, bytes } = file;
    const shelved = {
      id: newId('file-'),
      bytes,
      createdAtSeconds,
      filename,
      purpose,
      expiresAtSeconds,
      readyAtMs: 0,
    };
    this.#shelf.put(shelved, file.content);
    this.#context.log.stored(req, { api: 'openai', id: shelved.id, url: null, file, fields, attempt });
    return shelved;
  }

  /** GET /v1/files */
  list(exchange: Exchange): Outcome {
    const refusal = this.refusalOf(exchange);
    if (refusal !== null) return refusal;
    const { query } = exchange;
    const limit = Number(query.get('limit') ?? MAX_PAGE);
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE)
      return badRequest(`limit is 1 to ${MAX_PAGE}`, 'limit');
    const order = query.get('order') ?? 'desc';
    if (order !== 'asc' && order !== 'desc') return badRequest("order is 'asc' or 'desc'", 'order');
    const purpose = query.get('purpose');
    const accepts = (file: ShelvedFile) => purpose === null || file.purpose === purpose;
    const page = this.#shelf.list({ after: query.get('after'), limit, order, accepts });
    if (page === null) return badRequest('No such file', 'after');
    return { kind: 'answered', reply: openaiAnswer(listAnswer(page, openaiFileObject)) };
  }

  /** GET /v1/files/{id} */
  retrieve(exchange: Exchange): Outcome {
    const refusal = this.refusalOf(exchange);
    if (refusal !== null) return refusal;
    const file = this.#find(exchange);
    return file === null
      ? noSuchFile(exchange)
      : { kind: 'answered', reply: openaiAnswer(openaiFileObject(file)) };
  }

  /** GET /v1/files/{id}/content; only small files, and not those put together from an Upload. */
  content(exchange: Exchange): Outcome {
    const refusal = this.refusalOf(exchange);
    if (refusal !== null) return refusal;
    const file = this.#find(exchange);
    const body = file === null ? null : this.#shelf.content(file.id);
    if (file === null) return noSuchFile(exchange);
    if (body === null)
      return openaiRefusal(404, {
        message: 'The sandbox keeps the content of small files only.',
        param: 'id',
      });
    return { kind: 'answered', reply: { status: 200, contentType: 'application/octet-stream', body } };
  }

  /** DELETE /v1/files/{id} */
  delete(exchange: Exchange): Outcome {
    const refusal = this.refusalOf(exchange);
    if (refusal !== null) return refusal;
    const file = this.#find(exchange);
    if (file === null) return noSuchFile(exchange);
    const store = () => {
      this.#shelf.delete(file.id);
      return openaiAnswer({ id: file.id, object: 'file', deleted: true });
    };
    return { kind: 'accepted', filename: file.filename, store };
  }

  throttled(): Outcome {
    const fields = {
      message: 'Rate limit reached for file uploads.',
      type: 'requests',
      code: 'rate_limit_exceeded',
    };
    return openaiRefusal(429, fields);
  }

  overloaded(): Outcome {
    return openaiRefusal(503, {
      message: 'The server is overloaded.',
      type: 'server_error',
      code: 'overloaded',
    });
  }

  coded({ code, message, status, shape }: Parameters<ApiManners['coded']>[0]): Reply {
    const reply = openaiError(status ?? (code === 'insufficient_quota' ? 429 : 400), {
      message,
      code: String(code),
    });
    if (shape === 'usual') return reply;
    return { ...reply, body: JSON.stringify({ code: String(code), message, request_id: newId('') }) };
  }

  #find({ params }: Exchange): ShelvedFile | null {
    return this.#shelf.get(params[0] ?? '');
  }
}

/** A file as OpenAI describes it. */
export function openaiFileObject({
  id,
  bytes,
  createdAtSeconds,
  filename,
  purpose,
  expiresAtSeconds,
}: ShelvedFile) {
  const expiry = expiresAtSeconds === null ? {} : { expires_at: expiresAtSeconds };
  const status = { status: 'processed', status_details: null };
  return { id, object: 'file', bytes, created_at: createdAtSeconds, filename, purpose, ...expiry, ...status };
}

function noSuchFile({ params }: Exchange): Outcome {
  return openaiRefusal(404, { message: `No such File object: ${params[0]}`, param: 'id' });
}
