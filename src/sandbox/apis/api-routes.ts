import type { Route } from '../http/routes.ts';
import type { Call } from '../http/serve.ts';
import type { AutoglmApi } from './autoglm-api.ts';
import type { DashscopeFilesApi } from './dashscope-files-api.ts';
import type { OpenaiFilesApi } from './openai-files-api.ts';
import type { OpenaiUploadsApi } from './openai-uploads-api.ts';
import type { TokenIssuer } from './token-issuer.ts';
import { tokenAnswer } from './token-service.ts';
import type { VectorxApi } from './vectorx-api.ts';

export const TOKEN_PATH = '/get_token';
export const AUTOGLM_PATH = '/agentdr/v1/assistant/upload-mix';
export const VECTORX_PATH = '/v1/aiagent/agents/demo/upload-openai-file';
export const DASHSCOPE_BASE = '/compatible-mode/v1';
export const OPENAI_BASE = '/v1';

export interface Apis {
  readonly autoglm: AutoglmApi;
  readonly vectorx: VectorxApi;
  readonly dashscope: DashscopeFilesApi;
  readonly files: OpenaiFilesApi;
  readonly uploads: OpenaiUploadsApi;
}

/** The one path of the token service. */
export function tokenRoutes(issuer: TokenIssuer): readonly Route[] {
  const call: Call = {
    api: 'token',
    operation: 'token',
    manners: null,
    handle: (_exchange, fault) => tokenAnswer(issuer, fault?.action === 'token' ? fault : null),
  };
  return [{ method: 'GET', path: TOKEN_PATH, call }];
}

/** Every path of the file APIs. */
export function apiRoutes({ autoglm, vectorx, dashscope, files, uploads }: Apis): readonly Route[] {
  const mix: Call = {
    api: 'autoglm',
    operation: 'upload',
    manners: autoglm,
    handle: (x) => autoglm.upload(x),
  };
  const agent: Call = {
    api: 'vectorx',
    operation: 'upload',
    manners: vectorx,
    handle: (x) => vectorx.upload(x),
  };
  const qwen = { api: 'dashscope', manners: dashscope } as const;
  const openai = { api: 'openai', manners: files } as const;
  const qwenFiles = `${DASHSCOPE_BASE}/files`;
  const openaiFiles = `${OPENAI_BASE}/files`;
  const openaiUploads = `${OPENAI_BASE}/uploads`;
  return [
    { method: 'POST', path: AUTOGLM_PATH, call: mix },
    { method: 'POST', path: '/upload-openai-file', call: agent },
    { method: 'POST', path: '/v1/aiagent/agents/{}/upload-openai-file', call: agent },
    {
      method: 'POST',
      path: qwenFiles,
      call: { ...qwen, operation: 'upload', handle: (x) => dashscope.upload(x) },
    },
    {
      method: 'GET',
      path: qwenFiles,
      call: { ...qwen, operation: 'list', handle: (x) => dashscope.list(x) },
    },
    {
      method: 'GET',
      path: `${qwenFiles}/{}`,
      call: { ...qwen, operation: 'retrieve', handle: (x) => dashscope.retrieve(x) },
    },
    {
      method: 'DELETE',
      path: `${qwenFiles}/{}`,
      call: { ...qwen, operation: 'delete', handle: (x) => dashscope.delete(x) },
    },
    {
      method: 'POST',
      path: openaiFiles,
      call: { ...openai, operation: 'upload', handle: (x) => files.upload(x) },
    },
    {
      method: 'GET',
      path: openaiFiles,
      call: { ...openai, operation: 'list', handle: (x) => files.list(x) },
    },
    {
      method: 'GET',
      path: `${openaiFiles}/{}`,
      call: { ...openai, operation: 'retrieve', handle: (x) => files.retrieve(x) },
    },
    {
      method: 'DELETE',
      path: `${openaiFiles}/{}`,
      call: { ...openai, operation: 'delete', handle: (x) => files.delete(x) },
    },
    {
      method: 'GET',
      path: `${openaiFiles}/{}/content`,
      call: { ...openai, operation: 'content', handle: (x) => files.content(x) },
    },
    {
      method: 'POST',
      path: openaiUploads,
      call: { ...openai, operation: 'create-upload', handle: (x) => uploads.create(x) },
    },
    {
      method: 'POST',
      path: `${openaiUploads}/{}/parts`,
      call: { ...openai, operation: 'add-part', handle: (x) => uploads.addPart(x) },
    },
    {
      method: 'POST',
      path: `${openaiUploads}/{}/complete`,
      call: { ...openai, operation: 'complete-upload', handle: (x) => uploads.complete(x) },
    },
    {
      method: 'POST',
      path: `${openaiUploads}/{}/cancel`,
      call: { ...openai, operation: 'cancel-upload', handle: (x) => uploads.cancel(x) },
    },
  ];
}
