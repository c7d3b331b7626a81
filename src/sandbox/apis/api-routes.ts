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
  return [
    ...autoglmRoutes(autoglm),
    ...vectorxRoutes(vectorx),
    ...dashscopeRoutes(dashscope),
    ...openaiRoutes(files, uploads),
  ];
}

function autoglmRoutes(api: AutoglmApi): readonly Route[] {
  const route = routesOf('autoglm', api);
  return [route('POST', AUTOGLM_PATH, 'upload', (x) => api.upload(x))];
}

function vectorxRoutes(api: VectorxApi): readonly Route[] {
  const route = routesOf('vectorx', api);
  return ['/upload-openai-file', '/v1/aiagent/agents/{}/upload-openai-file'].map((path) =>
    route('POST', path, 'upload', (x) => api.upload(x)),
  );
}

function dashscopeRoutes(api: DashscopeFilesApi): readonly Route[] {
  const route = routesOf('dashscope', api);
  const files = `${DASHSCOPE_BASE}/files`;
  return [
    route('POST', files, 'upload', (x) => api.upload(x)),
    route('GET', files, 'list', (x) => api.list(x)),
    route('GET', `${files}/{}`, 'retrieve', (x) => api.retrieve(x)),
    route('DELETE', `${files}/{}`, 'delete', (x) => api.delete(x)),
  ];
}

function openaiRoutes(api: OpenaiFilesApi, large: OpenaiUploadsApi): readonly Route[] {
  const route = routesOf('openai', api);
  const files = `${OPENAI_BASE}/files`;
  const uploads = `${OPENAI_BASE}/uploads`;
  return [
    route('POST', files, 'upload', (x) => api.upload(x)),
    route('GET', files, 'list', (x) => api.list(x)),
    route('GET', `${files}/{}`, 'retrieve', (x) => api.retrieve(x)),
    route('DELETE', `${files}/{}`, 'delete', (x) => api.delete(x)),
    route('GET', `${files}/{}/content`, 'content', (x) => api.content(x)),
    route('POST', uploads, 'create-upload', (x) => large.create(x)),
    route('POST', `${uploads}/{}/parts`, 'add-part', (x) => large.addPart(x)),
    route('POST', `${uploads}/{}/complete`, 'complete-upload', (x) => large.complete(x)),
    route('POST', `${uploads}/{}/cancel`, 'cancel-upload', (x) => large.cancel(x)),
  ];
}

/** Routes of one API, which answers in its own manners. */
function routesOf(
  api: Call['api'],
  manners: Call['manners'],
): (method: Route['method'], path: string, operation: Call['operation'], handle: Call['handle']) => Route {
  return (method, path, operation, handle) => ({ method, path, call: { api, operation, manners, handle } });
}
