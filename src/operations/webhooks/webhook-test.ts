import { randomUUID } from 'node:crypto';
import { SlipwayError } from '../../domain/errors.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { type Endpoint, shownTarget } from '../../notify/endpoint/endpoint.ts';
import { testBody } from '../../notify/event/event-body.ts';
import { hasUserInfo, NO_USER_INFO } from '../../notify/options.ts';
import { openSender, type SenderOptions } from '../../notify/send/open-sender.ts';
import { newSecret } from '../../notify/send/secret.ts';
import {
  COMMAND_SINK,
  endpointsOf,
  type ToldConfig,
  webhookEndpoint,
} from '../../runtime/plans/endpoint-plans.ts';

export { newSecret } from '../../notify/send/secret.ts';

/** How a sample was answered. */
export interface WebhookTrial {
  readonly endpoint: string;
  readonly target: string;
  readonly id: string;
  readonly acknowledged: boolean;
  /** HTTP status or exit code; null: no answer. */
  readonly status: number | null;
  /** What is wrong, in one line; null: nothing. */
  readonly problem: string | null;
  /** How the answer's body begins. */
  readonly body: string;
  readonly durationMs: number;
  /** Made up for a URL that no config names: verify with it; null: that of the config. */
  readonly secret: string | null;
}

const URL_TIMEOUT_MS = 15_000;

/**
 * Sends a signed sample, a `file.uploaded` of a file that does not exist, marked `test: true`. Nothing is written down, nothing is tried
 * again.
 * @param nameOrUrl of a configured endpoint, or any http(s) URL; that of a configured one is sent to as configured
 * @throws SlipwayError `usage` naming the choices
 */
export async function tryWebhook(
  nameOrUrl: string,
  config: ToldConfig,
  options: SenderOptions,
): Promise<WebhookTrial> {
  const { endpoint, secret } = endpointMeant(nameOrUrl, config);
  const sender = openSender(endpoint, options);
  const id = `msg_test_${randomUUID().replaceAll('-', '')}`;
  const receipt = sampleReceipt(new Date().toISOString());
  try {
    const end = await sender.send({ id, body: testBody(receipt) }, new AbortController().signal);
    if (end.kind === 'aborted') throw new SlipwayError('internal', { reason: 'the trial was cut short' });
    return {
      ...{ endpoint: endpoint.name, target: shownTarget(endpoint), id, secret },
      acknowledged: end.kind === 'acknowledged',
      status: end.status,
      problem:
        end.kind === 'failed' ? end.reason : end.kind === 'gone' ? 'HTTP 410 disables an endpoint' : null,
      body: end.excerpt,
      durationMs: Math.round(end.durationMs),
    };
  } finally {
    await sender.close();
  }
}

function endpointMeant(nameOrUrl: string, config: ToldConfig): { endpoint: Endpoint; secret: string | null } {
  const webhook = config.webhooks.find(({ name }) => name === nameOrUrl);
  if (webhook !== undefined) return { endpoint: webhookEndpoint(webhook, config.secrets), secret: null };
  if (nameOrUrl === COMMAND_SINK) {
    const sinks = Object.keys(config.sources).flatMap((source) => endpointsOf(config, source));
    const sink = sinks.find(({ name }) => name === COMMAND_SINK);
    if (sink !== undefined) return { endpoint: sink, secret: null };
  }
  const url = URL.parse(nameOrUrl);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') {
    if (hasUserInfo(nameOrUrl)) throw new SlipwayError('usage', { problem: `the URL ${NO_USER_INFO}` });
    const known = config.webhooks.find((one) => URL.parse(one.url)?.href === url.href);
    if (known !== undefined) return { endpoint: webhookEndpoint(known, config.secrets), secret: null };
    const secret = newSecret();
    const target = { kind: 'http', url: nameOrUrl, secrets: [secret], headers: {} } as const;
    const rest = { events: [], batch: null, concurrency: 1, timeoutMs: URL_TIMEOUT_MS };
    return { endpoint: { name: url.origin, target, ...rest }, secret };
  }
  const names = config.webhooks.map(({ name }) => name).join(', ');
  throw new SlipwayError('usage', {
    problem: `there is no webhook ${nameOrUrl}: give ${names === '' ? '' : `one of ${names}, or `}an http or https URL`,
  });
}

function sampleReceipt(at: string): Receipt {
  const url = 'https://files.example.invalid/sample.txt';
  return {
    ...{ v: 1, id: `f${'0'.repeat(32)}`, source: 'slipway-test', path: 'sample.txt', gen: 0 },
    ...{ status: 'uploaded', destination: 'slipway-test', url, fileId: 'sample', ref: url, bytes: 0 },
    sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    ...{ contentType: 'text/plain', mtime: at, mtimeNs: '0', expiresAt: null, attempts: 1 },
    ...{ queuedAt: at, uploadedAt: at, recordedAt: at, durationMs: 0, batch: null },
    ...{ remote: null, error: null, meta: { test: 'true' } },
  };
}
