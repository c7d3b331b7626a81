import type { ResolvedConfig } from '../../config/resolved-config.ts';
import type { Endpoint } from '../../notify/endpoint/endpoint.ts';
import type { CommandSinkOptions, WebhookOptions } from '../../notify/options.ts';

/** Name of the endpoint that `onSettled` of a source is. */
export const COMMAND_SINK = 'onSettled';

/** Who is told of a source, also of one that was only named on the command line. */
export function endpointsOf(
  config: Pick<ResolvedConfig, 'webhooks' | 'sources'>,
  source: string,
): Endpoint[] {
  const webhooks = config.webhooks.filter(({ sources }) => sources?.includes(source) ?? true);
  const sink = Object.hasOwn(config.sources, source) ? (config.sources[source]?.onSettled ?? null) : null;
  return [...webhooks.map(webhookEndpoint), ...(sink === null ? [] : [commandEndpoint(sink)])];
}

export function webhookEndpoint(webhook: WebhookOptions): Endpoint {
  const { name, url, secret, headers, events, batch, concurrency, timeout } = webhook;
  const secrets = typeof secret === 'string' ? [secret] : secret;
  return {
    name,
    target: { kind: 'http', url, secrets, headers },
    events: [...new Set(events)],
    ...{ batch, concurrency, timeoutMs: timeout },
  };
}

function commandEndpoint({ command, events, batch, concurrency, timeout }: CommandSinkOptions): Endpoint {
  return {
    name: COMMAND_SINK,
    target: { kind: 'command', command },
    events: [...new Set(events)],
    ...{ batch, concurrency, timeoutMs: timeout },
  };
}
