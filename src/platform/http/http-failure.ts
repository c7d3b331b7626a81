import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { formatDuration } from '../units.ts';

/** The far side's certificate is signed by somebody this machine does not know. */
const UNKNOWN_ISSUER = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** What is wrong, in words, where the code alone says little. */
const TLS_WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: '; its certificate has expired',
  CERT_NOT_YET_VALID: '; its certificate is not valid yet: check the clock of this machine',
  ERR_TLS_CERT_ALTNAME_INVALID: '; its certificate is for another host: check the host in url',
  ERR_SSL_WRONG_VERSION_NUMBER: '; it does not speak TLS at this port: should url begin with http://?',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: '; it does not speak TLS at this port: should url begin with http://?',
  EPROTO: '; it does not speak TLS at this port: should url begin with http://?',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    '; it wants a certificate of ours: set network.certFile and network.keyFile',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    '; if it wants a certificate of ours, set network.certFile and network.keyFile',
};

/** The second one comes only from a proxy that does not answer CONNECT: requests of ours switch it off. */
const CONNECTING = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT']);

/** Mistakes of ours, not of the network. */
const OURS = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH']);

/**
 * What the HTTP library threw, in our words. Its messages may quote the request, so only its codes are passed on
 * (G5); what a body threw by itself stays as it is.
 * @param origin scheme, host and port of the far side
 * @param proxies scheme, host and port of the proxies it may go through
 */
export function httpFailure(
  error: unknown,
  origin: string,
  connectTimeoutMs: number,
  proxies: readonly string[] = [],
): SlipwayError {
  if (error instanceof SlipwayError) return error;
  const code = codeOf(error);
  if (CONNECTING.has(code)) return timeoutFailure(connectTimeoutMs, `connecting to ${origin}`, error);
  // Our own aborts never come here; the only other one is undici's answer to a proxy's refusal.
  if (code === 'UND_ERR_ABORTED') return proxyRefusal(error, origin);
  // The one thing that undici calls so: see interim-answers.ts.
  if (code === 'UND_ERR_SOCKET' && wordsOf(error) === 'bad response')
    return connectionFailure(`${origin} sent 100 Continue unasked; the next request goes another way`, error);
  if (code === 'UND_ERR_SOCKET') return connectionFailure(`${origin} closed it`, error);
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED')
    return connectionFailure('Slipway is stopping', error);
  if (OURS.has(code)) return new SlipwayError('internal', { reason: code }, { cause: error });
  const fix = UNKNOWN_ISSUER.has(code)
    ? '; if its certificate is yours, name your authority in network.caFile'
    : (TLS_WORDS[code] ?? '');
  const proxy = proxies.find((one) => isPeer(error, new URL(one)));
  if (proxy !== undefined)
    return connectionFailure(`${code} at the proxy ${proxy}, on the way to ${origin}`, error);
  return connectionFailure(`${code} at ${origin}${fix}`, error);
}

/** undici says in its message alone what the proxy answered to CONNECT. */
function proxyRefusal(error: unknown, origin: string): SlipwayError {
  const status = /Proxy response \((\d{3})\)/.exec(wordsOf(error))?.[1];
  if (status === '407') {
    const detail =
      'the proxy wants credentials: put them into the proxy variable of the environment, as http://USER:PASSWORD@HOST:PORT';
    return new SlipwayError('misconfigured', { detail }, { cause: error });
  }
  const said = status === undefined ? '' : ` (HTTP ${status})`;
  return connectionFailure(`the proxy refused to connect to ${origin}${said}`, error);
}

export function timeoutFailure(timeoutMs: number, phase: string, cause?: unknown): SlipwayError {
  return new SlipwayError('timeout', { timeout: formatDuration(timeoutMs), phase }, { cause });
}

function connectionFailure(reason: string, cause: unknown): SlipwayError {
  return new SlipwayError('connection', { reason }, { cause });
}

/** True when the system's error names this host (by name) or this port as the other end. */
function isPeer(error: unknown, { hostname, port, protocol }: URL): boolean {
  const tries: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  const peerPort = Number(port || (protocol === 'https:' ? 443 : 80));
  return tries.some((one) => {
    const peer = one as { readonly hostname?: unknown; readonly port?: unknown } | null;
    return peer?.hostname === hostname || peer?.port === peerPort;
  });
}

function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (typeof code === 'string') return code;
  return error instanceof Error ? error.name : reasonOf(error);
}

/** For telling undici's failures apart; never shown: they may quote the request. */
function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}
