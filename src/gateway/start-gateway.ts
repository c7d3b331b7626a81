import { mkdir, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { GatewayOptions } from '../config/gateway-options.ts';
import type { ResolvedConfig } from '../config/resolved-config.ts';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { ShownQueues } from '../operations/inspect/queue-board.ts';
import { openAcceptance } from '../operations/receive/acceptance.ts';
import { createByteBudget } from '../operations/receive/byte-budget.ts';
import type { IncomingPlace } from '../operations/receive/incoming.ts';
import { openReceivedBook, type ReceivedBook } from '../operations/receive/received-book.ts';
import { createReceivedLine } from '../operations/receive/received-line.ts';
import { receivedReport } from '../operations/receive/received-report.ts';
import type { NotifyOptions } from '../runtime/owner/keep-records.ts';
import { createKeyMeter } from './access/key-limits.ts';
import { type Keyring, openKeyring } from './access/keyring.ts';
import { isLoopbackAddress } from './access/origin-check.ts';
import type { OpenRoute } from './entry.ts';
import { createIdempotency } from './idempotency.ts';
import type { OpenedRoutes } from './open-routes.ts';
import { watchLoopDelay } from './operators/loop-delay.ts';
import { createMetrics } from './operators/metrics.ts';
import { openTusDoor } from './resumable/tus-door.ts';
import { buildServer } from './server.ts';
import type { UploadRules } from './upload-door.ts';
import type { UploadTarget } from './upload-target.ts';

/** Of small files in memory, all together. */
const MEMORY_BYTES = 64 * 1024 * 1024;

export interface GatewayFacts {
  readonly config: ResolvedConfig;
  readonly options: Pick<GatewayOptions, 'host' | 'port'>;
  readonly routes: readonly OpenRoute[];
  /** How what is sent later is sent. */
  readonly later: Pick<OpenedRoutes, 'shareTraffic' | 'composed'>;
  /** Who is told of what is recorded. */
  readonly telling: NotifyOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What relative key files are relative to. */
  readonly placed: (path: string) => string;
  readonly log: Log;
}

/** The door, open. */
export interface Gateway {
  readonly url: string;
  /**
   * Takes nothing new and lets what is under way finish.
   * @returns whether all of it could within the budget
   */
  stop(budgetMs: number): Promise<boolean>;
  /** Cuts a stop under way short. */
  cutShort(): void;
}

/**
 * Opens the door.
 * @throws SlipwayError `gateway_open`, `port_unavailable`, `usage` (keys), `data_dir`
 */
export async function startGateway(facts: GatewayFacts): Promise<Gateway> {
  const { config, options, routes, log } = facts;
  const { gateway } = config;
  const loopback = isLoopbackAddress(options.host);
  if (!loopback && gateway.keys.length === 0) throw new SlipwayError('gateway_open', { host: options.host });
  const keyring = configuredKeys(facts);
  // First of all: whoever has the book has the folder of what comes in as well.
  const book = await openReceivedBook(config.dataDir, log, Date.now, facts.telling);
  const ending = new AbortController();
  const place = await openIncomingPlace(config.dataDir, config.spool.maxBytes);
  const inFlight = { count: 0 };
  const loopDelay = watchLoopDelay(() => performance.now());
  const targets = [...new Set(routes.map(({ target }) => target))];
  const metrics = createMetrics({
    inFlight: () => inFlight.count,
    report: async () => ({ sources: [await receivedReport(book, later.line)], destinations: [] }),
    targets: () => targets,
  });
  const later = await openLater(facts, book, { place, targets, metrics });
  let closing = false;
  const uploads: UploadRules = {
    ...{ place, maxBytes: gateway.maxBytes, maxJsonBytes: gateway.maxJsonBytes },
    ...{ idleMs: config.timeouts.idle, now: Date.now },
    ...{ metrics, meter: createKeyMeter(book.usage, Date.now) },
    ...{ book, later, log, ending: ending.signal, idempotency: createIdempotency(book.answers, Date.now) },
  };
  const allowedOrigins = new Set(gateway.allowedOrigins);
  const tus = await openTusDoor({ dataDir: config.dataDir, routes, allowedOrigins, rules: uploads });
  const app = buildServer({
    origins: {
      loopback,
      allowedHosts: new Set(gateway.allowedHosts.map((host) => host.toLowerCase())),
      allowedOrigins,
    },
    keyring,
    routes,
    ...{ uploads, tus },
    shownQueues: shownQueues(facts, targets),
    ...{ targets: () => targets, maxInFlight: gateway.maxInFlight, inFlight, loopDelay },
    closing: () => closing,
    log,
  });
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    await later.line.stop(0);
    await book.close();
    const where = `${options.host}:${options.port}`;
    throw new SlipwayError('port_unavailable', { where, reason: reasonOf(error) }, { cause: error });
  }
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://${hostInUrl(options.host)}:${port}`,
    async stop(budgetMs) {
      closing = true;
      const endsAtMs = performance.now() + budgetMs;
      const timer = setTimeout(() => app.server.closeAllConnections(), budgetMs);
      let complete = true;
      timer.unref();
      const late = setTimeout(() => {
        complete = false;
      }, budgetMs);
      await app.close();
      loopDelay.close();
      tus.close();
      ending.abort(new Error('the gateway closes'));
      // Only now: uploads that somebody waits for share what the queue knows of their destinations.
      const drained = await later.line.stop(Math.max(budgetMs / 4, endsAtMs - performance.now()));
      await book.close();
      clearTimeout(timer);
      clearTimeout(late);
      await rm(place.folder, { recursive: true, force: true }).catch(() => undefined);
      return complete && drained;
    },
    cutShort() {
      app.server.closeAllConnections();
      later.line.cutShort();
    },
  };
}

function shownQueues({ config, log }: GatewayFacts, targets: readonly UploadTarget[]): ShownQueues {
  const { dataDir, redis, sources } = config;
  const destinations = targets.map(({ destination }) => destination.name);
  return { dataDir, redis, log, sources: Object.keys(sources), destinations };
}

/** What takes files to be sent later, and sends them. */
async function openLater(
  { config, later, log }: GatewayFacts,
  book: ReceivedBook,
  {
    place,
    targets,
    metrics,
  }: Pick<UploadRules, 'place' | 'metrics'> & { readonly targets: readonly UploadTarget[] },
): Promise<UploadRules['later']> {
  const acceptance = await openAcceptance(config.dataDir, book, place.disk);
  const line = createReceivedLine({
    ...{ book, acceptance, log, dataDir: config.dataDir, composed: later.composed },
    destinations: targets.map(({ destination }) => destination.name),
    onReceipts(receipts) {
      for (const { destination, status, error, durationMs } of receipts)
        metrics.uploaded(destination, error?.kind ?? status, durationMs === null ? null : durationMs / 1_000);
    },
    sending(file) {
      const target = targets.find(({ destination }) => destination.name === file.destination);
      if (target === undefined) throw new TypeError(`no destination ${file.destination}`);
      return { destination: target.destination.as(target.with(file.fields)) };
    },
  });
  later.shareTraffic(line.traffic);
  return { line, acceptance };
}

function configuredKeys(facts: GatewayFacts): Keyring {
  return openKeyring(
    facts.config.gateway.keys.map((key) => ({
      ...key,
      file: key.file === undefined ? undefined : facts.placed(key.file),
      limits: {
        perMinute: key.rate?.perMinute ?? null,
        bytesPerDay: key.bytesPerDay ?? null,
        concurrency: key.concurrency ?? null,
      },
    })),
    { env: facts.env, monotonicMs: () => performance.now(), log: facts.log },
  );
}

/** What a killed door left behind was answered by nobody: it is removed. */
async function openIncomingPlace(dataDir: string, maxBytes: number): Promise<IncomingPlace> {
  const folder = join(dataDir, 'gateway', 'incoming');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
  } catch (error) {
    throw new SlipwayError('data_dir', { path: folder, reason: reasonOf(error) }, { cause: error });
  }
  return { folder, memory: createByteBudget(MEMORY_BYTES), disk: createByteBudget(maxBytes) };
}

/** A URL has no room for "every address". */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
