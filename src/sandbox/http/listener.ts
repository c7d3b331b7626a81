import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';

const HOST = '127.0.0.1';
/** Longer than any client keeps an idle connection, so that it is the client who closes it. */
const KEEP_ALIVE_MS = 75_000;

/** A listening server. */
export interface Listener {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  /** Cuts every connection. */
  close(): Promise<void>;
}

/**
 * Listens on 127.0.0.1.
 * @param port 0: any free one
 * Throws SlipwayError `port_unavailable`.
 */
export async function listen(port: number, onRequest: RequestListener): Promise<Listener> {
  // No time limit for a whole request: a large upload over a slow client takes as long as it takes.
  const server = createServer(
    { requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true },
    onRequest,
  );
  try {
    server.listen(port, HOST);
    await once(server, 'listening');
  } catch (error) {
    throw new SlipwayError(
      'port_unavailable',
      { where: `${HOST}:${port}`, reason: reasonOf(error) },
      { cause: error },
    );
  }
  return { origin: `http://${HOST}:${portOf(server)}`, close: () => closed(server) };
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
