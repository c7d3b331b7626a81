import type { z } from 'zod';
import { fileAndFields } from '../form/form-fields.ts';
import { PartSpool } from '../form/part-spool.ts';
import { type FormResult, readForm } from '../form/read-form.ts';
import type { ApiContext, Exchange } from '../http/exchange.ts';
import { readText } from '../http/read-body.ts';
import { GONE, type Outcome, type Reply } from '../http/reply.ts';
import { issuesText } from '../issues-text.ts';
import type { SandboxLimits } from '../options.ts';
import type { ShelvedFile } from './file-shelf.ts';
import { newId, openaiAnswer, openaiError, openaiRefusal } from './openai-answers.ts';
import type { OpenaiFilesApi } from './openai-files-api.ts';
import { badRequest, purposeProblem } from './openai-rules.ts';
import {
  completeSchema,
  createSchema,
  type OpenaiUpload,
  UPLOAD_LIFETIME_SECONDS,
  uploadObject,
} from './openai-upload.ts';

const MAX_JSON_BYTES = 1024 * 1024;
/** Finished Uploads remembered, so that a late call gets the right refusal. */
const MAX_REMEMBERED = 1_000;

/** OpenAI Uploads: create, add parts in any order and in parallel, complete or cancel, within an hour. */
export class OpenaiUploadsApi {
  readonly #context: ApiContext;
  readonly #files: OpenaiFilesApi;
  readonly #limits: SandboxLimits;
  readonly #spool = new PartSpool();
  readonly #uploads = new Map<string, OpenaiUpload>();

  constructor(context: ApiContext, files: OpenaiFilesApi, limits: SandboxLimits) {
    this.#context = context;
    this.#files = files;
    this.#limits = limits;
  }

  /** POST /v1/uploads */
  async create(exchange: Exchange): Promise<Outcome> {
    const body = await this.#jsonBody(exchange, createSchema);
    if (body.kind !== 'body') return body.outcome;
    const { filename, purpose, bytes } = body.value;
    const problem = purposeProblem(purpose, filename, bytes);
    if (problem !== null) return problem;
    const createdAtSeconds = Math.floor(this.#context.now() / 1_000);
    const upload: OpenaiUpload = {
      id: newId('upload_'),
      request: body.value,
      createdAtSeconds,
      parts: new Map(),
      status: 'pending',
    };
    const store = () => {
      this.#uploads.set(upload.id, upload);
      this.#forgetOld();
      return openaiAnswer(uploadObject(upload, null));
    };
    return { kind: 'accepted', filename, store };
  }

  /** POST /v1/uploads/{id}/parts */
  async addPart(exchange: Exchange): Promise<Outcome> {
    const refusal = this.#files.refusalOf(exchange);
    if (refusal !== null) return refusal;
    const partId = newId('part_');
    const sink = await this.#spool.open(partId);
    const form = await readForm(exchange.req, { sink });
    const written = await sink.finish();
    const outcome = written
      ? this.#partOutcome(exchange, partId, form)
      : openaiRefusal(500, { message: 'the part could not be kept', type: 'server_error' });
    if (outcome.kind !== 'accepted') await this.#spool.drop([partId]);
    return outcome;
  }

  /** POST /v1/uploads/{id}/complete */
  async complete(exchange: Exchange): Promise<Outcome> {
    const body = await this.#jsonBody(exchange, completeSchema);
    if (body.kind !== 'body') return body.outcome;
    const found = this.#pending(exchange);
    if (found.kind === 'refused') return found.outcome;
    const { upload } = found;
    const { part_ids: partIds, md5 } = body.value;
    const unknown = partIds.find((id, index) => !upload.parts.has(id) || partIds.indexOf(id) !== index);
    if (unknown !== undefined) return badRequest(`Part ${unknown} is unknown or named twice`, 'part_ids');
    const bytes = partIds.reduce((sum, id) => sum + (upload.parts.get(id) ?? 0), 0);
    if (bytes !== upload.request.bytes)
      return badRequest(
        `The parts have ${bytes} bytes, the Upload was created for ${upload.request.bytes}`,
        'bytes',
      );
    upload.status = 'completing';
    const hashes = await this.#spool.hash(partIds);
    upload.status = 'pending';
    if (md5 !== undefined && md5.toLowerCase() !== hashes.md5)
      return badRequest('The md5 does not match the parts', 'md5');
    const store = () => {
      if (upload.status !== 'pending') return endedMeanwhile(upload);
      const file = this.#finish(exchange, upload, hashes.sha256);
      return openaiAnswer(uploadObject(upload, file));
    };
    return { kind: 'accepted', filename: upload.request.filename, store };
  }

  /** POST /v1/uploads/{id}/cancel */
  async cancel(exchange: Exchange): Promise<Outcome> {
    const refusal = this.#files.refusalOf(exchange);
    if (refusal !== null) return refusal;
    if ((await readText(exchange.req, MAX_JSON_BYTES)) === 'gone') return GONE;
    const found = this.#pending(exchange);
    if (found.kind === 'refused') return found.outcome;
    const { upload } = found;
    const store = () => {
      this.#end(upload, 'cancelled');
      return openaiAnswer(uploadObject(upload, null));
    };
    return { kind: 'accepted', filename: upload.request.filename, store };
  }

  close(): Promise<void> {
    return this.#spool.close();
  }

  #partOutcome(exchange: Exchange, partId: string, form: FormResult): Outcome {
    if (form.kind === 'gone') return GONE;
    if (form.kind === 'malformed') return badRequest(form.problem, null);
    const found = this.#pending(exchange);
    if (found.kind === 'refused') return found.outcome;
    const content = fileAndFields(form.parts, 'data', []);
    if (content.kind !== 'ok') return badRequest("exactly one file part, 'data', is taken", 'data');
    const { bytes, filename } = content.file;
    const { openaiMaxPartBytes: maxBytes } = this.#limits;
    if (bytes > maxBytes)
      return openaiRefusal(413, { message: `A part has at most ${maxBytes} bytes.`, param: 'data' });
    const { upload } = found;
    const discard = () => void this.#spool.drop([partId]);
    const store = () => {
      if (upload.status !== 'pending') {
        discard();
        return endedMeanwhile(upload);
      }
      upload.parts.set(partId, bytes);
      const created_at = Math.floor(this.#context.now() / 1_000);
      return openaiAnswer({ id: partId, object: 'upload.part', created_at, upload_id: upload.id });
    };
    return { kind: 'accepted', filename, store, discard };
  }

  #finish({ req }: Exchange, upload: OpenaiUpload, sha256: string): ShelvedFile {
    const { filename, mime_type: contentType, purpose, bytes, expires_after: expiry } = upload.request;
    const file = { kind: 'file', name: 'data', filename, contentType, bytes, sha256, content: null } as const;
    const expiryFields =
      expiry === undefined
        ? {}
        : { 'expires_after[anchor]': expiry.anchor, 'expires_after[seconds]': String(expiry.seconds) };
    const attempt = this.#context.log.arrived('openai', sha256);
    this.#end(upload, 'completed');
    return this.#files.keep(req, file, { purpose, ...expiryFields }, attempt);
  }

  #end(upload: OpenaiUpload, status: 'completed' | 'cancelled' | 'expired'): void {
    upload.status = status;
    void this.#spool.drop([...upload.parts.keys()]);
    upload.parts.clear();
  }

  /** The Upload a request names, when it still takes calls. */
  #pending({
    params,
  }: Exchange): { kind: 'pending'; upload: OpenaiUpload } | { kind: 'refused'; outcome: Outcome } {
    const upload = this.#uploads.get(params[0] ?? '');
    if (upload === undefined)
      return {
        kind: 'refused',
        outcome: openaiRefusal(404, { message: `No such Upload object: ${params[0]}`, param: 'id' }),
      };
    if (upload.status === 'pending' && this.#isExpired(upload)) this.#end(upload, 'expired');
    if (upload.status === 'pending') return { kind: 'pending', upload };
    return { kind: 'refused', outcome: badRequest(`The Upload is ${upload.status}`, 'id') };
  }

  async #jsonBody<T>(
    exchange: Exchange,
    schema: z.ZodType<T>,
  ): Promise<{ kind: 'body'; value: T } | { kind: 'no'; outcome: Outcome }> {
    const refusal = this.#files.refusalOf(exchange);
    if (refusal !== null) return { kind: 'no', outcome: refusal };
    const text = await readText(exchange.req, MAX_JSON_BYTES);
    if (text === 'gone') return { kind: 'no', outcome: GONE };
    const parsed = schema.safeParse(parsedJson(text ?? ''));
    if (parsed.success) return { kind: 'body', value: parsed.data };
    return { kind: 'no', outcome: badRequest(issuesText(parsed.error), null) };
  }

  /** Gives back the disk of Uploads nobody will finish, and the memory of the oldest. */
  #forgetOld(): void {
    for (const upload of this.#uploads.values()) {
      if (upload.status === 'pending' && this.#isExpired(upload)) this.#end(upload, 'expired');
      if (this.#uploads.size <= MAX_REMEMBERED || upload.status === 'completing') continue;
      this.#end(upload, 'expired');
      this.#uploads.delete(upload.id);
    }
  }

  #isExpired({ createdAtSeconds }: OpenaiUpload): boolean {
    return this.#context.now() / 1_000 >= createdAtSeconds + UPLOAD_LIFETIME_SECONDS;
  }
}

/** Another call ended the Upload while this answer was held up. */
function endedMeanwhile({ status }: OpenaiUpload): Reply {
  return openaiError(400, { message: `The Upload is ${status}`, param: 'id' });
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
