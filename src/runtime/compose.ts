import type { LoadedConfig } from '../config/load-config.ts';
import type { DestinationDefinition } from '../destinations/definition/definition.ts';
import type { OpenDestination } from '../destinations/open-destination.ts';
import type { Role } from '../domain/live-report.ts';
import type { Log } from '../domain/log.ts';
import type { SenderOptions } from '../notify/send/open-sender.ts';
import type { ConcurrencyOptions } from '../pacing/options.ts';
import { type HttpClient, type HttpClientOptions, openHttpClient } from '../platform/http/http-client.ts';
import { proxiesOf } from '../platform/http/http-proxy.ts';
import type { NotifyOptions } from './owner/keep-records.ts';
import { openChosen } from './plans/destination-choice.ts';
import { endpointsOf } from './plans/endpoint-plans.ts';
import type { SourcePlan } from './plans/source-plan.ts';
import type { WorkerConfig } from './processes/worker-config.ts';
import { startWorkerPool } from './processes/worker-pool.ts';
import type { RunFacts } from './running-process.ts';

/** A destination at hand in this process. */
export interface ComposedDestination {
  readonly destination: OpenDestination;
  readonly concurrency: ConcurrencyOptions;
  readonly rate: DestinationDefinition['rate'];
}

/** What a process that sends consists of, whichever door it was started by. */
export interface Composition {
  /** The one HTTP client of the process: a run closes it; who starts none closes it himself. */
  readonly http: HttpClient;
  readonly destinations: readonly ComposedDestination[];
  /** What a run of these plans needs besides what the door wants to hear of it. */
  run(plans: readonly SourcePlan[], roles: readonly Role[]): Omit<RunFacts, 'ownPaths' | 'onReceipts'>;
}

/**
 * Brings the configuration to life: one HTTP client wide enough for the most uploads any destination may have at once,
 * the destinations over it, and all that a run is told by the configuration.
 * @param most `worker --concurrency`: at most so many uploads at once, however the destination is configured
 */
export function compose(
  loaded: LoadedConfig,
  definitions: readonly DestinationDefinition[],
  { log, most }: { readonly log: Log; readonly most?: number | undefined },
): Composition {
  const { config, env } = loaded;
  const concurrencies = definitions.map(({ concurrency }) =>
    limitedTo(most, concurrency ?? config.worker.concurrency),
  );
  const options = httpOptions(loaded, Math.max(...concurrencies.map(({ max }) => max)));
  const http = openHttpClient(options);
  const destinations = definitions.map((definition, index) => ({
    destination: openChosen(definition, { http, env, log }),
    concurrency: concurrencies[index] ?? config.worker.concurrency,
    rate: definition.rate,
  }));
  const { dataDir, redis, retry } = config;
  return {
    http,
    destinations,
    run: (plans, roles) => ({
      ...{ plans, roles, destinations, http, dataDir, redis, retry, log, env: process.env },
      ...{ maxPending: config.queue.maxPending, spoolMaxBytes: config.spool.maxBytes },
      telling: notifyOptions(loaded),
      ...(roles.includes('worker')
        ? workerPool(loaded, plans, definitions, { concurrencies, http: options, log })
        : {}),
    }),
  };
}

/** `worker.processes`: the processes that do the uploading in place of the one that starts them. */
function workerPool(
  { config, env }: LoadedConfig,
  plans: readonly SourcePlan[],
  definitions: readonly DestinationDefinition[],
  shared: {
    readonly concurrencies: readonly ConcurrencyOptions[];
    readonly http: HttpClientOptions;
    readonly log: Log;
  },
): Pick<RunFacts, 'pool'> {
  const { processes } = config.worker;
  if (processes === 1) return {};
  const workerConfig: Omit<WorkerConfig, 'heldRoots'> = {
    ...{ plans, env, http: shared.http, dataDir: config.dataDir, redis: config.redis },
    destinations: definitions.map((definition, index) => ({
      definition,
      concurrency: shared.concurrencies[index] ?? config.worker.concurrency,
    })),
    ...{ retry: config.retry, logLevel: config.log.level },
  };
  return { pool: (heldRoots) => startWorkerPool(workerConfig, processes, heldRoots, shared.log) };
}

/** How a process speaks HTTP by this configuration. */
export function httpOptions({ config, env }: LoadedConfig, connectionsPerOrigin: number): HttpClientOptions {
  const { connect, response, idle } = config.timeouts;
  const { caFile, certFile, keyFile } = config.network;
  return {
    connectTimeoutMs: connect,
    responseTimeoutMs: response,
    idleTimeoutMs: idle,
    connectionsPerOrigin,
    caFile,
    clientCertificate: certFile === null || keyFile === null ? null : { certFile, keyFile },
    proxies: proxiesOf(env),
  };
}

/** How a process reaches those it tells. A program gets the environment of this process, without what `.env` adds. */
export function senderOptions(loaded: LoadedConfig): SenderOptions {
  return { http: httpOptions(loaded, 1), env: process.env };
}

/** Who is told of the sources, and how. */
export function notifyOptions(loaded: LoadedConfig): NotifyOptions {
  return {
    endpointsOf: (source) => endpointsOf(loaded.config, source),
    senders: senderOptions(loaded),
  };
}

function limitedTo(most: number | undefined, options: ConcurrencyOptions): ConcurrencyOptions {
  return most === undefined ? options : { ...options, max: most, initial: Math.min(options.initial, most) };
}
