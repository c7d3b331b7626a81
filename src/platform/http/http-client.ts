import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import { SlipwayError } from '../../domain/errors.ts';
import { shownCertificate, trustOf } from '../files/pem-file.ts';
import { keepLast } from '../keep-last.ts';
import { abortErrorOf, onAbort } from '../waiting/abort.ts';
import { SOCKET_BUFFER_BYTES, slicedBody } from './http-body.ts';
import { type ExchangeLimits, HttpExchange } from './http-exchange.ts';
import { httpFailure, timeoutFailure } from './http-failure.ts';
import { joinedHeaders, sendableHeaders } from './http-headers.ts';
import type { HttpAnswer, HttpRequest } from './http-message.ts';
import {
  hasProxy,
  isLoopbackHost,
  networksWithoutProxy,
  type ProxySettings,
  proxyOrigins,
} from './http-proxy.ts';
import { createInterimAnswers, type PlainRequest } from './interim-answers.ts';

export interface HttpClientOptions {
  /** Name resolution, TCP and TLS together. */
  readonly connectTimeoutMs: number;
  /** From the last byte of the body to the last of the answer. */
  readonly responseTimeoutMs: number;
  /** Longest silence while a body goes out or an answer comes in. */
  readonly idleTimeoutMs: number;
  /** Requests beyond it queue. */
  readonly connectionsPerOrigin: number;
  /** PEM file of certificate authorities trusted besides the system's. */
  readonly caFile: string | null;
  /** PEM files of the certificate that this side shows, and of its key; left out or null: it shows none. */
  readonly clientCertificate?: { readonly certFile: string; readonly keyFile: string } | null;
  readonly proxies: ProxySettings;
}

export interface FetchTextOptions {
  /** For the whole exchange, connecting included. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** An answer whose body is still on its way. Whoever does not read it to its end destroys it. */
export interface HttpStream {
  readonly status: number;
  /** Names in lower case; repeated headers are joined by `, `. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Readable;
}

export interface HttpClient {
  /**
   * Sends one request and reads its answer; never follows a redirect, never repeats a request. An answer that comes
   * while the body still goes out is delivered. Throws the signal's reason when aborted, a SlipwayError that the body
   * throws, else SlipwayError `timeout`, `connection`, `answer_too_large`, or `misconfigured` for a URL or header that
   * cannot be sent.
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Sends a request without a body and gives its answer as it comes. Throws as `send` does; its body may, too. */
  stream(request: Pick<HttpRequest, 'method' | 'url' | 'headers' | 'signal'>): Promise<HttpStream>;
  /** GET of a small text. Throws as `send` does. */
  fetchText(
    url: string,
    options: FetchTextOptions,
  ): Promise<{ readonly status: number; readonly body: string }>;
  /** Closes every connection; what is still under way fails. */
  close(): Promise<void>;
}

/** Opens the one HTTP client of a process. Throws SlipwayError `config_unreadable` when a PEM file cannot be read or holds no PEM. */
export function openHttpClient(options: HttpClientOptions): HttpClient {
  const agentOptions = agentOptionsOf(options);
  const direct = new Agent(agentOptions);
  const proxied = hasProxy(options.proxies)
    ? new EnvHttpProxyAgent(proxyOptionsOf(options, agentOptions))
    : direct;

  const { connections, connect } = agentOptions;
  const { timeout, ...tls } = connect;
  const interim = createInterimAnswers({ connections, connectTimeoutMs: timeout, tls });
  const isInNetwork = networksWithoutProxy(options.proxies.no);

  async function send(request: HttpRequest): Promise<HttpAnswer> {
    const { signal } = request;
    if (signal.aborted) throw abortErrorOf(signal);
    const target = targetOf(request.url);
    const isDirect = target.isLocal || isInNetwork(target.hostname);
    const limits: ExchangeLimits = {
      ...options,
      maxResponseBytes: request.maxResponseBytes,
      cutAnswer: request.cutAnswer,
      proxies: isDirect ? [] : proxyOrigins(options.proxies),
    };
    const exchange = new HttpExchange(limits, target.origin);
    const dispatchOptions = dispatchOptionsOf(request, target, options.idleTimeoutMs);
    const stopListening = onAbort(signal, () => exchange.fail(abortErrorOf(signal)));
    // A loopback address behind a proxy would be the proxy's own machine.
    const dispatcher = isDirect ? direct : proxied;
    // Through a proxy only undici knows the way.
    if (dispatcher === direct && interim.concerns(target.origin)) interim.dispatch(dispatchOptions, exchange);
    else dispatcher.dispatch(dispatchOptions, exchange);
    try {
      return await exchange.answer;
    } catch (error) {
      interim.learn(target.origin, error);
      throw error;
    } finally {
      stopListening();
    }
  }

  return {
    send,
    stream: (request) => streamOf(request, { direct, proxied }, options),
    async fetchText(url, { timeoutMs, maxBytes, signal }) {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(timeoutFailure(timeoutMs, originOf(url))), timeoutMs);
      try {
        const { status, body } = await send({
          method: 'GET',
          url,
          headers: {},
          body: null,
          contentLength: 0,
          signal: AbortSignal.any([signal, deadline.signal]),
          maxResponseBytes: maxBytes,
        });
        return { status, body };
      } finally {
        clearTimeout(timer);
      }
    },
    async close() {
      interim.close();
      await Promise.all([direct.destroy(), proxied === direct ? null : proxied.destroy()]);
    },
  };
}

async function streamOf(
  { method, url, headers, signal }: Parameters<HttpClient['stream']>[0],
  { direct, proxied }: { readonly direct: Dispatcher; readonly proxied: Dispatcher },
  options: HttpClientOptions,
): Promise<HttpStream> {
  const { origin, path, isLocal } = targetOf(url);
  try {
    const answer = await (isLocal ? direct : proxied).request({
      ...{ origin, path, method, headers: sendableHeaders(headers), signal },
      headersTimeout: options.responseTimeoutMs,
      bodyTimeout: options.idleTimeoutMs,
    });
    return { status: answer.statusCode, headers: joinedHeaders(answer.headers), body: answer.body };
  } catch (error) {
    if (signal.aborted) throw abortErrorOf(signal);
    throw httpFailure(error, origin, options.connectTimeoutMs, isLocal ? [] : proxyOrigins(options.proxies));
  }
}

/** undici 8 would negotiate HTTP/2: more than twice the CPU for uploads (measured). */
const allowH2 = false;

function agentOptionsOf(options: HttpClientOptions) {
  const { connectTimeoutMs: timeout, connectionsPerOrigin: connections, caFile } = options;
  const trusted = trustOf(caFile);
  const shown = shownCertificate(options.clientCertificate ?? null);
  return { allowH2, pipelining: 1, connections, connect: { timeout, ...trusted, ...shown } };
}

/** Through a proxy undici makes the connections by other rules, and takes nothing from `connect`. */
function proxyOptionsOf(options: HttpClientOptions, agentOptions: ReturnType<typeof agentOptionsOf>) {
  const { http, https, no } = options.proxies;
  const { timeout, ...tls } = agentOptions.connect;
  return {
    ...agentOptions,
    httpProxy: http ?? '',
    httpsProxy: https ?? '',
    noProxy: no ?? '',
    connectTimeout: timeout,
    requestTls: { ...tls, allowH2 },
    proxyTls: tls,
    // Without it a proxy that never answers CONNECT would hold the request for five minutes.
    clientFactory: (origin: URL, clientOptions: object): Dispatcher =>
      new Pool(origin, { ...clientOptions, headersTimeout: timeout }),
  };
}

function dispatchOptionsOf(
  request: HttpRequest,
  { origin, path }: Target,
  idleTimeoutMs: number,
): PlainRequest & Dispatcher.DispatchOptions {
  const { method, body, contentLength } = request;
  const headers = sendableHeaders(request.headers);
  if (Buffer.isBuffer(body) && body.length !== contentLength) {
    throw new SlipwayError('internal', { reason: 'the body is not as long as announced' });
  }
  return {
    origin,
    path,
    method,
    headers: body === null ? headers : { ...headers, 'content-length': String(contentLength) },
    body: dispatchBodyOf(body, idleTimeoutMs),
    headersTimeout: 0,
    bodyTimeout: 0,
  };
}

function dispatchBodyOf(body: HttpRequest['body'], idleTimeoutMs: number): Buffer | Readable | null {
  // What the socket takes in one go needs no slices.
  if (body === null || (Buffer.isBuffer(body) && body.length <= SOCKET_BUFFER_BYTES)) return body;
  const slices: unknown = slicedBody(body, idleTimeoutMs, () => performance.now());
  // undici takes any async iterable; its types know streams only.
  return slices as Readable;
}

interface Target {
  readonly origin: string;
  readonly path: string;
  readonly hostname: string;
  readonly isLocal: boolean;
}

/** File after file goes to the same. */
const targetOf = keepLast((text: string): Target => {
  const url = URL.parse(text);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') {
    const { origin, pathname, search, hostname } = url;
    return { origin, path: `${pathname}${search}`, hostname, isLocal: isLoopbackHost(hostname) };
  }
  throw new SlipwayError('misconfigured', {
    detail: 'the URL of the request is not an http or https URL: correct it',
  });
});

/** For messages: a query may carry a secret (G5). */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'no valid URL';
}
