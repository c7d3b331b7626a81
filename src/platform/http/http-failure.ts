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
  if (code === 'UND_ERR_ABORTED')
    return connectionFailure(`the proxy refused to connect to ${origin}`, error);
  if (code === 'UND_ERR_SOCKET') return connectionFailure(`${origin} closed it`, error);
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED')
    return connectionFailure('Slipway is stopping', error);
  if (OURS.has(code)) return new SlipwayError('internal', { reason: code }, { cause: error });
  const fix = UNKNOWN_ISSUER.has(code)
    ? '; if its certificate is yours, name your authority in network.caFile'
    : '';
  const proxy = proxies.find((one) => isPeer(error, new URL(one)));
  if (proxy !== undefined)
    return connectionFailure(`${code} at the proxy ${proxy}, on the way to ${origin}`, error);
  return connectionFailure(`${code} at ${origin}${fix}`, error);
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
