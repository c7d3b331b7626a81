import { type HttpClient, type HttpClientOptions, openHttpClient } from '../../platform/http/http-client.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { Send } from './send-attempt.ts';
import { commandSender } from './send-command.ts';
import { httpSender } from './send-http.ts';

export interface SenderOptions {
  readonly http: Pick<HttpClientOptions, 'connectTimeoutMs' | 'caFile' | 'proxies'>;
  /** For commands; they get little of it. */
  readonly env: NodeJS.ProcessEnv;
}

export interface Sender {
  readonly send: Send;
  close(): Promise<void>;
}

/**
 * Opens the way to an endpoint. Connections of its own: one that hangs must not take those of another endpoint, nor of
 * an upload to the same host (G7).
 */
export function openSender({ target, timeoutMs, concurrency }: Endpoint, options: SenderOptions): Sender {
  if (target.kind === 'command') {
    const send = commandSender(target, { timeoutMs, env: options.env });
    return { send, close: async () => undefined };
  }
  const http: HttpClient = openHttpClient({
    ...options.http,
    // One time-out rules: the whole attempt's.
    responseTimeoutMs: timeoutMs,
    idleTimeoutMs: timeoutMs,
    // Whoever gives up frees his connection a moment later than his slot.
    connectionsPerOrigin: concurrency * 2,
  });
  const send = httpSender(target, { timeoutMs, send: http.send, now: Date.now });
  return { send, close: http.close };
}
