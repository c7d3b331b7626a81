import { fileAndFields } from '../form/form-fields.ts';
import { type FilePart, readForm } from '../form/read-form.ts';
import type { ApiContext, Exchange } from '../http/exchange.ts';
import { type ApiManners, GONE, jsonReply, type Outcome, type Reply, refused } from '../http/reply.ts';
import type { SandboxLimits } from '../options.ts';
import { TokenBucket } from '../trouble/token-bucket.ts';
import { extractProblem } from './dashscope-files-api.ts';
import { bearerAccepted, newId } from './openai-answers.ts';

const DEFAULT_PURPOSE = 'file-extract';
const FAILED = '文件上传失败';

/**
 * The VectorX agent runtime's upload: always HTTP 200, decided by `code`. It hands the file on to DashScope, so that
 * service's refusals come through with their HTTP status as `code`.
 */
export class VectorxApi implements ApiManners {
  readonly #context: ApiContext;
  readonly #limits: SandboxLimits;
  readonly #apiKey: string | null;
  readonly #uploads: TokenBucket;

  constructor(context: ApiContext, limits: SandboxLimits, apiKey: string | null) {
    this.#context = context;
    this.#limits = limits;
    this.#apiKey = apiKey;
    const { vectorxUploadsPerSecond: perSecond } = limits;
    this.#uploads = new TokenBucket(perSecond, Math.max(1, Math.floor(perSecond)));
  }

  /** POST …/upload-openai-file */
  async upload({ req }: Exchange): Promise<Outcome> {
    const needsKey = this.#apiKey !== null || req.headers.authorization !== undefined;
    if (needsKey && !bearerAccepted(req, this.#apiKey))
      return upstream(401, 'Incorrect API key provided.', 'invalid_api_key');
    const form = await readForm(req);
    if (form.kind === 'gone') return GONE;
    if (form.kind === 'malformed') return exception(form.problem);
    const content = fileAndFields(form.parts, 'file', ['purpose']);
    if (content.kind === 'no-file') return exception('文件内容不能为空');
    if (content.kind !== 'ok') return exception(`unknown or repeated field ${content.name}`);
    const { file } = content;
    if (!this.#uploads.take(this.#context.now())) return this.throttled();
    const fields = { purpose: DEFAULT_PURPOSE, ...content.fields };
    const problem = extractProblem(fields.purpose, file, this.#limits.dashscopeExtractMaxBytes);
    if (problem !== null) return upstream(400, problem, 'InvalidParameter');
    const attempt = this.#context.log.arrived('vectorx', file.sha256);
    return {
      kind: 'accepted',
      filename: file.filename,
      store: () => this.#store(req, file, fields, attempt),
    };
  }

  throttled(): Outcome {
    return upstream(429, 'Requests rate limit exceeded, please try again later.', 'Throttling.RateQuota');
  }

  overloaded(): Outcome {
    return refused('503', jsonReply(503, { code: 503, msg: FAILED, data: null }));
  }

  coded({ code, message, status = 200 }: Parameters<ApiManners['coded']>[0]): Reply {
    return jsonReply(status, { code, msg: message, data: { error: { message, code } } });
  }

  #store(req: Exchange['req'], file: FilePart, fields: { readonly purpose: string }, attempt: number): Reply {
    const id = newId('file-fe-');
    this.#context.log.stored(req, { api: 'vectorx', id, url: null, file, fields, attempt });
    const data = {
      id,
      object: 'file',
      bytes: file.bytes,
      created_at: Math.floor(this.#context.now() / 1_000),
      filename: safeName(file.filename),
      purpose: fields.purpose,
      status: 'processed',
      status_details: null,
    };
    return jsonReply(200, { code: 0, msg: 'success', data });
  }
}

/** The runtime cleans names, so what comes back may differ from what was sent. */
function safeName(filename: string): string {
  const base = filename.slice(Math.max(filename.lastIndexOf('/'), filename.lastIndexOf('\\')) + 1);
  return base.replace(/[^\p{L}\p{N}._-]/gu, '_');
}

function upstream(status: number, message: string, code: string): Outcome {
  const data = { error: { message, code } };
  return refused(
    `${status} ${code}`,
    jsonReply(200, { code: status, msg: message === '' ? FAILED : message, data }),
  );
}

function exception(message: string): Outcome {
  return refused('-1', jsonReply(200, { code: -1, msg: message }));
}
