import type { DestinationDefinition } from '../../src/destinations/definition/definition.ts';
import { definitionFrom } from './destination-definitions.ts';
import { startHttpServer, type TestServer } from './http-server.ts';

/** A file API that stores at once and processes afterwards, as the test says. */
export interface ProcessingApi {
  readonly server: TestServer;
  /** POSTs so far. */
  uploads(): number;
  /** GETs so far, by file id. */
  looks(): ReadonlyMap<string, number>;
  /** The state that looks see from now on; `reset` breaks the connection instead. */
  state: string;
}

/** Ids are `file-1`, `file-2` and on. */
export async function startProcessingApi(state = 'processing'): Promise<ProcessingApi> {
  let uploads = 0;
  const looks = new Map<string, number>();
  const server = await startHttpServer(async (visit) => {
    const { method, url = '' } = visit.request;
    if (method === 'POST') {
      await visit.body();
      uploads += 1;
      visit.json(200, { id: `file-${uploads}`, status: 'processing' });
      return;
    }
    const id = url.slice(url.lastIndexOf('/') + 1);
    looks.set(id, (looks.get(id) ?? 0) + 1);
    if (self.state === 'reset') visit.request.socket.resetAndDestroy();
    else visit.json(200, { id, status: self.state });
  });
  const self = { server, uploads: () => uploads, looks: () => looks, state };
  return self;
}

/** Towards such an API, with looks so often that a test need not wait. */
export function processingDefinition(
  { server }: ProcessingApi,
  readiness: { readonly deadline?: string; readonly perSecond?: number } = {},
): DestinationDefinition {
  return definitionFrom({
    url: `${server.origin}/files`,
    fileField: 'file',
    visibility: 'private',
    answer: { id: '/id' },
    ref: 'fileid://{id}',
    waitUntilReady: true,
    readiness: {
      url: `${server.origin}/files/{id}`,
      status: '/status',
      ready: ['processed'],
      failed: ['error'],
      interval: '50ms',
      deadline: '20s',
      perSecond: 200,
      ...readiness,
    },
  });
}
