import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** One request as a test's server sees it. */
export interface Visit {
  /** 1 for the first request this server got, 2 for the next. */
  readonly attempt: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The whole body. */
  body(): Promise<Buffer>;
  /** Answers with JSON. */
  json(status: number, value: unknown): void;
}

export interface TestServer {
  readonly origin: string;
  /** Requests so far. */
  visits(): number;
  /** Connections that are open now. */
  connections(): number;
}

/**
 * A real server on a free port of 127.0.0.1 that behaves, or misbehaves, as the function says; what that throws is
 * ignored, for a client that goes away is part of many tests. Closed when the test ends.
 */
export async function startHttpServer(
  respond: (visit: Visit) => void | Promise<void>,
  tls: { readonly key: string; readonly cert: string } | null = null,
): Promise<TestServer> {
  let visits = 0;
  const sockets = new Set<Socket>();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    visits += 1;
    const visit: Visit = {
      attempt: visits,
      request,
      response,
      body: () => bodyOf(request),
      json(status, value) {
        const text = JSON.stringify(value);
        response.writeHead(status, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
        });
        response.end(text);
      },
    };
    request.on('error', () => {});
    Promise.resolve(respond(visit)).catch(() => {});
  };
  const server = tls === null ? createServer(onRequest) : createTlsServer(tls, onRequest);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `${tls === null ? 'http' : 'https'}://127.0.0.1:${port}`,
    visits: () => visits,
    connections: () => sockets.size,
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
