import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import { openTokenSource, type TokenPorts } from '../../destinations/token/token-source.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { isLoopbackHost } from '../../platform/http/http-proxy.ts';
import { type Finding, ok, problem, warning } from './doctor-finding.ts';

/**
 * Reads the token of a destination as an upload would; never tells it.
 * @param inContainer whether a loopback address is the container's own
 */
export async function examineToken(
  { name, token }: DestinationDefinition,
  ports: TokenPorts,
  inContainer: boolean,
  signal: AbortSignal,
): Promise<Finding[]> {
  const about = { check: 'token', subject: name } as const;
  if (token === null) return [ok(about, 'needs no token')];
  const source = openTokenSource(token, ports);
  const loopback = 'url' in token && isLoopbackHost(new URL(token.url).hostname);
  const container = { check: 'container', subject: name } as const;
  try {
    await source.read(signal);
    const read = ok(about, `a token was read from ${source.where}`);
    if (!inContainer || !loopback) return [read];
    return [
      read,
      ok(container, `the token service at ${source.where} is reached from inside this container`),
    ];
  } catch (error) {
    const found = problem(about, error);
    const lost = error instanceof SlipwayError && error.code === 'token_service_unreachable';
    if (!inContainer || !loopback || !lost) return [found];
    const fix = `${source.where} is this container itself, not the machine that runs it: set destinations.${name}.token.url to http://host.docker.internal:PORT (Linux: extra_hosts "host.docker.internal:host-gateway"), or run the container with the host's network`;
    return [found, warning(container, fix)];
  }
}
