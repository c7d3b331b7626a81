import type { ResolvedConfig } from '../../config/resolved-config.ts';
import type { Endpoint } from '../../notify/endpoint/endpoint.ts';
import type { CommandSinkOptions, WebhookOptions } from '../../notify/options.ts';

/** What of a config says who is told. */
export type ToldConfig = Pick<ResolvedConfig, 'webhooks' | 'sources'> &
  Partial<Pick<ResolvedConfig, 'secrets'>>;

/** Name of the endpoint that `onSettled` of a source is. */
export const COMMAND_SINK = 'onSettled';

/** Who is told of a source, also of one that was only named on the command line. */
export function endpointsOf(config: ToldConfig, source: string): Endpoint[] {
  const webhooks = config.webhooks.filter(({ sources }) => sources?.includes(source) ?? true);
  const sink = Object.hasOwn(config.sources, source) ? (config.sources[source]?.onSettled ?? null) : null;
  return [
    ...webhooks.map((webhook) => webhookEndpoint(webhook, config.secrets)),
    ...(sink === null ? [] : [commandEndpoint(sink)]),
  ];
}

/** @param neverShown configured values that its answers are shown without */
export function webhookEndpoint(webhook: WebhookOptions, neverShown: readonly string[] = []): Endpoint {
  const { name, url, secret, headers, events, batch, concurrency, timeout } = webhook;
  const secrets = typeof secret === 'string' ? [secret] : secret;
  return {
    name,
    target: { kind: 'http', url, secrets, headers, neverShown },
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
