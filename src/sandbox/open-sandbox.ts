import {
  AUTOGLM_PATH,
  apiRoutes,
  DASHSCOPE_BASE,
  OPENAI_BASE,
  TOKEN_PATH,
  tokenRoutes,
  VECTORX_PATH,
} from './apis/api-routes.ts';
import { AutoglmApi } from './apis/autoglm-api.ts';
import { DashscopeFilesApi } from './apis/dashscope-files-api.ts';
import { FileShelf } from './apis/file-shelf.ts';
import { OpenaiFilesApi } from './apis/openai-files-api.ts';
import { OpenaiUploadsApi } from './apis/openai-uploads-api.ts';
import { TokenIssuer } from './apis/token-issuer.ts';
import { VectorxApi } from './apis/vectorx-api.ts';
import type { ReceivedFile, ReceivedSummary } from './form/received-file.ts';
import { listen } from './http/listener.ts';
import { requestDoor } from './http/request-door.ts';
import { Routes } from './http/routes.ts';
import { resolveSandboxOptions, type SandboxOptions } from './options.ts';
import { ReceivedLog } from './received-log.ts';
import { Capacity } from './trouble/capacity.ts';
import { type FaultPlan, parseFaultPlan } from './trouble/fault-rule.ts';
import { type FaultReport, Faults } from './trouble/faults.ts';

export interface SandboxUrls {
  /** GET: the AutoGLM token. */
  readonly tokenUrl: string;
  /** POST: AutoGLM Upload Mix. */
  readonly autoglmUrl: string;
  /** POST: VectorX upload-openai-file. */
  readonly vectorxUrl: string;
  /** `…/files` follows. */
  readonly dashscopeBase: string;
  /** `…/files` and `…/uploads` follow. */
  readonly openaiBase: string;
  /** Of all file APIs; `/_received`, `/_faults` and `/_tokens` are here too. */
  readonly origin: string;
}

/** A running sandbox: the token service and four file APIs on this machine, as strict as the real ones. */
export interface Sandbox extends SandboxUrls {
  /**
   * What was stored, oldest first.
   * @param since only those after this sequence number, or received at or after this ISO time
   */
  received(since?: number | string): readonly ReceivedFile[];
  summary(): ReceivedSummary;
  /** Forgets what was received; the APIs keep their files. */
  reset(): void;
  /** More things that go wrong from now on. Throws SlipwayError `usage`. */
  addFaults(plan: FaultPlan): void;
  clearFaults(): void;
  faults(): readonly FaultReport[];
  /** Every AutoGLM token issued so far stops working. */
  revokeTokens(): void;
  /** The endpoints, one a line, for people. */
  describe(): string;
  close(): Promise<void>;
}

/**
 * Opens the stand-in peer on 127.0.0.1. Memory is bounded: contents are hashed and dropped.
 * Throws SlipwayError `usage` for wrong options and `port_unavailable`.
 */
export async function openSandbox({ now = Date.now, ...written }: SandboxOptions = {}): Promise<Sandbox> {
  const options = resolveSandboxOptions(written);
  const { limits, apiKey, maxFiles } = options;
  const ending = new AbortController();
  const log = new ReceivedLog(maxFiles, now);
  const faults = new Faults(options.faults, options.seed);
  const issuer = new TokenIssuer(now);
  const capacity = new Capacity(options.capacity, now, ending.signal);

  const context = { log, now };
  const files = new OpenaiFilesApi(context, new FileShelf(maxFiles, now), limits, apiKey);
  const uploads = new OpenaiUploadsApi(context, files, limits);
  const autoglm = new AutoglmApi(context, issuer);
  const vectorx = new VectorxApi(context, limits, apiKey);
  const dashscope = new DashscopeFilesApi(context, new FileShelf(limits.dashscopeMaxFiles, now), options);

  const door = (routes: Routes) =>
    requestDoor(routes, { faults, log, capacity, now, closed: ending.signal }, { log, faults, issuer });
  const tokenListener = await listen(options.ports.token, door(new Routes(tokenRoutes(issuer))));
  const apis = new Routes(apiRoutes({ autoglm, vectorx, dashscope, files, uploads }));
  const apiListener = await listen(options.ports.api, door(apis)).catch(async (error: unknown) => {
    await tokenListener.close();
    throw error;
  });
  const urls = urlsAt(tokenListener.origin, apiListener.origin);

  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    ending.abort();
    await Promise.all([tokenListener.close(), apiListener.close()]);
    await uploads.close();
  };
  return {
    ...urls,
    received: (since) => log.files(since),
    summary: () => log.summary(),
    reset: () => log.reset(),
    addFaults: (plan) => faults.add(parseFaultPlan(plan)),
    clearFaults: () => faults.clear(),
    faults: () => faults.report(),
    revokeTokens: () => issuer.revokeAll(),
    describe: () => description(urls, apiKey === null ? 'any bearer key' : 'the key it was opened with'),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function urlsAt(tokenOrigin: string, origin: string): SandboxUrls {
  return {
    tokenUrl: `${tokenOrigin}${TOKEN_PATH}`,
    autoglmUrl: `${origin}${AUTOGLM_PATH}`,
    vectorxUrl: `${origin}${VECTORX_PATH}`,
    dashscopeBase: `${origin}${DASHSCOPE_BASE}`,
    openaiBase: `${origin}${OPENAI_BASE}`,
    origin,
  };
}

function description(urls: SandboxUrls, key: string): string {
  const { tokenUrl, autoglmUrl, vectorxUrl, dashscopeBase, openaiBase, origin } = urls;
  return [
    `token service  GET   ${tokenUrl}`,
    `AutoGLM        POST  ${autoglmUrl}`,
    `VectorX        POST  ${vectorxUrl}`,
    `DashScope      base  ${dashscopeBase}  (${key})`,
    `OpenAI         base  ${openaiBase}  (${key})`,
    `what arrived   GET   ${origin}/_received  (?since=, ?summary=1; DELETE forgets)`,
    `faults         POST  ${origin}/_faults  (GET lists, DELETE clears; DELETE /_tokens revokes)`,
  ].join('\n');
}
