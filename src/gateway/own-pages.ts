import type { IncomingMessage } from 'node:http';
import { checkOrigin } from './access/origin-check.ts';
import type { EntryRules, OwnPage } from './entry.ts';
import { HEALTHY, type HealthSources, readiness } from './operators/health.ts';
import type { GatewayMetrics } from './operators/metrics.ts';
import { openApiDocument } from './operators/openapi.ts';
import { Refusal } from './refusal.ts';
import type { Reply } from './shapes/shape.ts';

/**
 * Health and metrics. Whether the door is well is nobody's secret, why it is not is one where keys exist.
 * @throws Refusal 401, 403, 405
 */
export async function ownPage(
  page: OwnPage,
  request: Pick<IncomingMessage, 'headers' | 'method'>,
  { origins, keyring, routes }: EntryRules,
  sources: HealthSources & { readonly metrics: GatewayMetrics },
): Promise<Reply> {
  checkOrigin(request.headers, origins, false);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const message = 'only GET is possible here';
    throw new Refusal({ status: 405, code: 'method_not_allowed', message, headers: { allow: 'GET, HEAD' } });
  }
  if (page === 'healthz') return HEALTHY;
  const { authorization } = request.headers;
  if (page === 'readyz') {
    if (authorization !== undefined) keyring.callerOf(authorization);
    return await readiness(sources, !keyring.required || authorization !== undefined);
  }
  keyring.callerOf(authorization);
  if (page === 'openapi.json') {
    const prefixes = routes.map(({ prefix }) => prefix);
    return { status: 200, body: openApiDocument({ prefixes, keys: keyring.required }) };
  }
  const { contentType, body } = await sources.metrics.text();
  return { status: 200, headers: { 'content-type': contentType }, body: null, text: body };
}
