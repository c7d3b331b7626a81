import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { LiveReport } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { within } from '../../platform/waiting/within.ts';
import { destinationGauges, liveGauges } from './live-gauges.ts';
import { uploadCounters } from './upload-counters.ts';

export interface MetricsServer {
  readonly url: string;
  /** Counts what was recorded. */
  receipts(receipts: readonly Receipt[]): void;
  /** From now on there is something to tell of. */
  follow(process: RunningPart): void;
  close(): Promise<void>;
}

/** What is asked of the process. */
export interface RunningPart {
  report(): Promise<LiveReport>;
  /** Why receipts cannot be kept; null: all is well. */
  failure(): { readonly message: string } | null;
}

/** A report that waits for a Redis that is away is not waited for. */
const REPORT_MS = 2_000;

/**
 * Serves `/healthz`, `/readyz` and `/metrics` of a process without a door (`run`, `intake`, `worker`). No label holds a file
 * name, an id or a key.
 * @throws SlipwayError `port_unavailable`
 */
export async function serveMetrics(
  { host, port }: { readonly host: string; readonly port: number },
  log: Log,
): Promise<MetricsServer> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = uploadCounters(registry);
  let part: RunningPart | null = null;
  const report = async (): Promise<LiveReport | null> => {
    const asked = part?.report().catch(() => null) ?? null;
    return asked !== null && (await within(asked, REPORT_MS)) ? await asked : null;
  };
  liveGauges(registry, report, Date.now);
  destinationGauges(registry, report, Date.now);

  async function answer(path: string, response: ServerResponse): Promise<void> {
    if (path === '/healthz') return json(response, 200, { status: 'ok' });
    if (path === '/readyz') {
      const { ready, checks } = await readinessOf(part, report);
      return json(response, ready ? 200 : 503, { status: ready ? 'ok' : 'unready', checks });
    }
    if (path === '/metrics') {
      const text = await registry.metrics();
      response.writeHead(200, { 'content-type': registry.contentType }).end(text);
      return;
    }
    json(response, 404, {
      error: `there is nothing at ${path.slice(0, 100)}: /healthz, /readyz and /metrics are`,
    });
  }

  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
      return;
    }
    answer((request.url ?? '/').replace(/\?.*$/s, ''), response).catch((error: unknown) => {
      log.error({ reason: reasonOf(error) }, 'metrics could not be told');
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const details = { where: `${host}:${port}`, reason: reasonOf(error) };
      reject(new SlipwayError('port_unavailable', details, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
  const at = server.address() as AddressInfo;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${at.port}`;
  log.info({ url }, `health and metrics at ${url}`);
  return {
    url,
    receipts(receipts) {
      for (const { destination, status, error, durationMs } of receipts) {
        const outcome = status === 'failed' ? (error?.kind ?? 'failed') : status;
        counters.ended(destination, outcome, durationMs === null ? null : durationMs / 1_000);
      }
    },
    follow(process) {
      part = process;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readinessOf(
  part: RunningPart | null,
  report: () => Promise<LiveReport | null>,
): Promise<{ readonly ready: boolean; readonly checks: Readonly<Record<string, unknown>> }> {
  if (part === null) return { ready: false, checks: { redis: 'starting' } };
  const told = await report();
  const failure = part.failure();
  if (told === null) return { ready: false, checks: { redis: 'does not answer' } };
  const destinations = Object.fromEntries(
    told.destinations.map(({ name, health, failure: why }) => [
      name,
      health === 'running' ? 'ok' : (why ?? health),
    ]),
  );
  const sources = Object.fromEntries(told.sources.map(({ name, trouble }) => [name, trouble ?? 'ok']));
  const usable = Object.values(destinations);
  const ready =
    failure === null && (usable.length === 0 || told.destinations.some(({ health }) => health === 'running'));
  return { ready, checks: { redis: 'ok', disk: failure?.message ?? 'ok', destinations, sources } };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}
