import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { SlipwayError } from '../../domain/errors.ts';
import type { HttpExchange } from './http-exchange.ts';
import { timeoutFailure } from './http-failure.ts';

/**
 * undici closes a connection on which `100 Continue` comes unasked; RFC 9110 §15.2 wants it skipped, and some servers
 * send it before every answer. Their origins are remembered, and the next requests go by Node's own client.
 */
export interface InterimAnswers {
  /** Whether this origin is one of them. */
  concerns(origin: string): boolean;
  /** Tells such an origin by what undici failed with; other failures are passed over. */
  learn(origin: string, error: unknown): void;
  dispatch(request: PlainRequest, exchange: HttpExchange): void;
  close(): void;
}

/** A request whose headers have been checked; the client counts the body's bytes itself. */
export interface PlainRequest {
  readonly origin: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | AsyncIterable<Buffer> | null;
}

export interface PlainOptions {
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** As for `tls.connect`. */
  readonly tls: Readonly<Record<string, unknown>>;
}

/** More origins than any configuration names. */
const MOST_ORIGINS = 100;

export function createInterimAnswers({ connections, connectTimeoutMs, tls }: PlainOptions): InterimAnswers {
  const origins = new Set<string>();
  const agentOptions = { keepAlive: true, maxSockets: connections };
  const http = new HttpAgent(agentOptions);
  const https = new HttpsAgent({ ...agentOptions, ...tls });

  function dispatch({ origin, path, method, headers, body }: PlainRequest, exchange: HttpExchange): void {
    const url = `${origin}${path}`;
    const isTls = origin.startsWith('https:');
    const request = isTls
      ? httpsRequest(url, { method, headers, agent: https })
      : httpRequest(url, { method, headers, agent: http });
    const controller = { abort: (reason: Error) => void request.destroy(reason) };
    const connecting = setTimeout(() => {
      exchange.fail(timeoutFailure(connectTimeoutMs, `connecting to ${origin}`));
      request.destroy();
    }, connectTimeoutMs);
    request
      .on('socket', (socket) => {
        const begin = (): void => {
          clearTimeout(connecting);
          exchange.onRequestStart(controller);
          void sendBody(request, body, exchange);
        };
        if (socket.connecting) socket.once(isTls ? 'secureConnect' : 'connect', begin);
        else begin();
      })
      .on('response', (response) => {
        exchange.onResponseStart(controller, response.statusCode ?? 0, response.headers);
        response.on('data', (chunk: Buffer) => exchange.onResponseData(controller, chunk));
        response.on('end', () => exchange.onResponseEnd());
        response.on('error', (error) => exchange.onResponseError(controller, error));
      })
      .on('error', (error) => exchange.onResponseError(controller, error))
      .on('close', () => clearTimeout(connecting));
  }

  return {
    concerns: (origin) => origins.has(origin),
    learn(origin, error) {
      const cause = error instanceof SlipwayError ? error.cause : error;
      if ((cause as Error | undefined)?.message === 'bad response' && origins.size < MOST_ORIGINS)
        origins.add(origin);
    },
    dispatch,
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

async function sendBody(
  request: ClientRequest,
  body: PlainRequest['body'],
  exchange: HttpExchange,
): Promise<void> {
  try {
    const chunks = body === null ? [] : Buffer.isBuffer(body) ? [body] : body;
    for await (const chunk of chunks) {
      if (request.destroyed) return;
      await new Promise<void>((resolve, reject) => {
        request.write(chunk, (error) => (error == null ? resolve() : reject(error)));
      });
      exchange.onBodySent();
    }
    request.end(() => exchange.onRequestSent());
  } catch (error) {
    request.destroy(error as Error);
    exchange.fail(error);
  }
}
