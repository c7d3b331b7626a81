/**
 * The calls that `@immich/cli` 3.2.2 makes during `upload --watch`, answered from memory: every file is new. A process of
 * its own; its parent asks it over IPC for what arrived.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface ImmichStats {
  readonly uploads: number;
  /** Epoch milliseconds with fractions; 0 before the first. */
  readonly lastAtMs: number;
  readonly mostInFlight: number;
}

let uploads = 0;
let lastAtMs = 0;
let inFlight = 0;
let mostInFlight = 0;

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

const GETS: Readonly<Record<string, unknown>> = {
  '/api/users/me': { id: randomUUID(), email: 'bench@example.org', name: 'bench' },
  '/api/api-keys/me': { id: randomUUID(), name: 'bench', permissions: ['all'] },
  '/api/server/media-types': { image: ['.jpg'], video: [], sidecar: ['.xmp'] },
  '/api/server/version': { major: 3, minor: 2, patch: 2 },
};

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '';
  if (request.method === 'POST' && path === '/api/assets') {
    inFlight += 1;
    mostInFlight = Math.max(mostInFlight, inFlight);
    const { length } = await bodyOf(request);
    inFlight -= 1;
    if (length === 0) return answer(response, 400, { message: 'empty' });
    uploads += 1;
    lastAtMs = performance.timeOrigin + performance.now();
    return answer(response, 201, { id: randomUUID(), status: 'created' });
  }
  if (request.method === 'POST' && path === '/api/assets/bulk-upload-check') {
    const { assets } = JSON.parse((await bodyOf(request)).toString('utf8')) as { assets: { id: string }[] };
    return answer(response, 200, { results: assets.map(({ id }) => ({ id, action: 'accept' })) });
  }
  const known = GETS[path];
  answer(response, known === undefined ? 404 : 200, known ?? { message: 'not known here' });
}

const server = createServer((request, response) => {
  serve(request, response).catch(() => response.destroy());
});
server.listen(0, '127.0.0.1', () => process.send?.(server.address()));
process.on('message', () => process.send?.({ uploads, lastAtMs, mostInFlight } satisfies ImmichStats));
process.on('disconnect', () => process.exit());
