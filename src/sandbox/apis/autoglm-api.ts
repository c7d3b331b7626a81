import { hash, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type FilePart, readForm } from '../form/read-form.ts';
import type { ApiContext, Exchange } from '../http/exchange.ts';
import { type ApiManners, GONE, jsonReply, type Outcome, type Reply, refused } from '../http/reply.ts';
import type { TokenIssuer } from './token-issuer.ts';

const APP_ID = '100003';
/** Published with the upload script: it tells callers apart, it protects nothing. */
const APP_KEY = '38d2391985e2369a5fb8227d8e6cd5e5';
const MAX_DRIFT_SECONDS = 300;
const PUBLIC_HOST = 'https://autoglm-agent.aminer.cn';

/** The service's own words for its codes. */
const MESSAGES: Readonly<Record<string, string>> = {
  400000: '用户未登录，请重新登录',
  400001: '请求数据有问题,请检查后重试',
  400002: '请求签名有问题,请检查后重试',
  400003: '请求参数有问题,请检查后重试',
  400004: '请求的数据重复,请重新尝试',
  400005: '请求频次太快了,请稍等再试',
  410000: 'This feature is available after logging in.',
};

/** AutoGLM Upload Mix: refusals are HTTP 200 with a code in the body, but for what its HTTP front itself refuses. */
export class AutoglmApi implements ApiManners {
  readonly #context: ApiContext;
  readonly #issuer: TokenIssuer;

  constructor(context: ApiContext, issuer: TokenIssuer) {
    this.#context = context;
    this.#issuer = issuer;
  }

  /** POST /agentdr/v1/assistant/upload-mix */
  async upload({ req }: Exchange): Promise<Outcome> {
    const refusal = this.#refusalOfHead(req);
    if (refusal !== null) return refusal;
    const form = await readForm(req);
    if (form.kind === 'gone') return GONE;
    if (form.kind === 'malformed') return this.#refused(400001, form.problem);
    const [part, ...others] = form.parts;
    if (part === undefined || others.length > 0) return this.#refused(400003, 'exactly one part is taken');
    if (part.kind !== 'file' || part.name !== 'files')
      return this.#refused(400003, 'the part must be a file named files');
    if (part.filename === '' || part.filename.includes('/'))
      return this.#refused(400003, 'the file name must be a base name');
    const attempt = this.#context.log.arrived('autoglm', part.sha256);
    return { kind: 'accepted', filename: part.filename, store: () => this.#store(req, part, attempt) };
  }

  throttled(): Outcome {
    return this.#refused(400005, MESSAGES[400005] ?? '');
  }

  overloaded(): Outcome {
    return refused('503', jsonReply(503, { code: 500001, msg: 'overloaded', data: null }));
  }

  coded({ code, message, status = 200, shape }: Parameters<ApiManners['coded']>[0]): Reply {
    const text = MESSAGES[code] ?? message;
    if (shape === 'other') return jsonReply(status, { error_code: code, error_msg: text });
    return jsonReply(status, this.#answer(code, text, null));
  }

  #refusalOfHead(req: IncomingMessage): Outcome | null {
    const { headers } = req;
    if (headers['transfer-encoding'] !== undefined || headers['content-length'] === undefined) {
      return refused('411', jsonReply(411, { message: 'Length Required' }));
    }
    if (!this.#issuer.accepts(headers.authorization)) return this.#refused(400000, 'no live token');
    const timestamp = headers['x-auth-timestamp'];
    if (headers['x-auth-appid'] !== APP_ID) return this.#refused(400002, 'unknown X-Auth-Appid');
    if (typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp))
      return this.#refused(400002, 'X-Auth-TimeStamp is not seconds');
    if (Math.abs(Number(timestamp) - this.#context.now() / 1_000) > MAX_DRIFT_SECONDS)
      return this.#refused(400002, 'stale timestamp');
    if (headers['x-auth-sign'] !== autoglmSign(timestamp)) return this.#refused(400002, 'wrong X-Auth-Sign');
    return null;
  }

  #store(req: IncomingMessage, file: FilePart, attempt: number): Reply {
    const { filename } = file;
    const id = `auto_fly/${randomUUID()}/${filename}`;
    const url = `${PUBLIC_HOST}/${id}`;
    this.#context.log.stored(req, { api: 'autoglm', id, url, file, fields: {}, attempt });
    return jsonReply(
      200,
      this.#answer(0, 'SUCCESS', { message: '', oss_info: [{ filename, oss_name: id, oss_url: url }] }),
    );
  }

  /** `detail` says to whoever debugs what a refusal of the real service would leave to be guessed. */
  #refused(code: number, detail: string): Outcome {
    const answer = this.#answer(code, MESSAGES[code] ?? detail, { message: detail });
    return refused(`${code} ${detail}`, jsonReply(200, answer));
  }

  #answer(code: number | string, msg: string, data: unknown) {
    return { code, msg, time: this.#context.now(), trace: randomUUID().replaceAll('-', ''), data };
  }
}

/** X-Auth-Sign for a timestamp in seconds: lower-case hex MD5 of appid, timestamp and key, joined by `&`. */
export function autoglmSign(timestamp: string): string {
  return hash('md5', `${APP_ID}&${timestamp}&${APP_KEY}`, 'hex');
}
