import type { DestinationDefinition } from '../../src/destinations/definition/definition.ts';
import { definitionFrom } from './destination-definitions.ts';
import { startHttpServer, type TestServer } from './http-server.ts';

/** How a request is answered: 200 with an id, or refused. */
export interface PacedAnswer {
  readonly status: number;
  readonly retryAfter?: string;
  /** Instead of the API's own JSON. */
  readonly page?: {
    readonly type: string;
    readonly body: string | Buffer;
    readonly headers?: Record<string, string>;
  };
}

export interface PacedRequest {
  readonly filename: string;
  /** Milliseconds. */
  readonly atMs: number;
  readonly status: number;
  /** Whether something that is not the API answered. */
  readonly isPage: boolean;
  /** Others that were under way when it arrived. */
  readonly others: number;
}

/** A file API of one test that counts, and answers as the test says at that moment. */
export interface PacedApi {
  readonly server: TestServer;
  /** Called with the file name of each request; undefined: accepted. */
  answer: (filename: string) => PacedAnswer | undefined;
  /** In order of arrival. */
  readonly requests: PacedRequest[];
  /** Most requests under way at once. */
  mostInFlight(): number;
  accepted(): string[];
}

/** @param serviceMs how long an accepted upload takes */
export async function startPacedApi(serviceMs = 0): Promise<PacedApi> {
  let inFlight = 0;
  let most = 0;
  const requests: PacedApi['requests'] = [];
  const server = await startHttpServer(async (visit) => {
    const atMs = performance.now();
    const others = inFlight;
    inFlight += 1;
    most = Math.max(most, inFlight);
    const body = (await visit.body()).toString('latin1');
    const filename = /filename="([^"]*)"/.exec(body)?.[1] ?? '';
    const { status, retryAfter, page } = self.answer(filename) ?? { status: 200 };
    requests.push({ filename, atMs, status, others, isPage: page !== undefined });
    if (status === 200 && page === undefined && serviceMs > 0)
      await new Promise((resolve) => setTimeout(resolve, serviceMs));
    inFlight -= 1;
    if (retryAfter !== undefined) visit.response.setHeader('retry-after', retryAfter);
    if (page !== undefined) {
      visit.response.writeHead(status, { 'content-type': page.type, ...page.headers });
      visit.response.end(page.body);
      return;
    }
    visit.json(status, status === 200 ? { id: `file-${filename}` } : { error: { message: 'not now' } });
  });
  const self: PacedApi = {
    server,
    answer: () => undefined,
    requests,
    mostInFlight: () => most,
    accepted: () =>
      requests.filter(({ status, isPage }) => status === 200 && !isPage).map(({ filename }) => filename),
  };
  return self;
}

export function pacedDefinition({ server }: PacedApi, more: object = {}): DestinationDefinition {
  return definitionFrom({
    url: `${server.origin}/files`,
    visibility: 'private',
    answer: { id: '/id' },
    ref: 'fileid://{id}',
    ...more,
  });
}

/** The most moments within any span of so many milliseconds. */
export function mostWithin(momentsMs: readonly number[], spanMs: number): number {
  const sorted = [...momentsMs].sort((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (const [last, atMs] of sorted.entries()) {
    while (atMs - (sorted[first] ?? atMs) >= spanMs) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
