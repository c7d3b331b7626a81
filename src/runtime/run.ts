import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Destination } from '../destinations/destination.ts';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Receipt, ReceiptStatus } from '../domain/receipt.ts';
import { networkFileSystemOf } from '../intake/network-fs.ts';
import type { ConcurrencyOptions } from '../pacing/options.ts';
import { systemClock } from '../platform/clock.ts';
import type { HttpClient } from '../platform/http-client.ts';
import { ownIdentity } from '../platform/process-identity.ts';
import { within } from '../platform/within.ts';
import { openDataDir } from '../record/data-dir.ts';
import type { RetryOptions } from '../upload/options.ts';
import { createSmallReads } from '../upload/small-reads.ts';
import { type DestinationRunner, runDestination } from './destination-runner.ts';
import { type DestinationReport, etaSeconds, type LiveReport } from './live-report.ts';
import { publishReports } from './process-reports.ts';
import { createRateMeter } from './rate-meter.ts';
import { openRedisAccess } from './redis-access.ts';
import { type SourceLine, startSourceLine } from './source-line.ts';
import type { SourcePlan } from './source-plan.ts';
import { untilIdle } from './until-idle.ts';
import { uploadHandler } from './upload-handler.ts';

/** Left of the shutdown budget for recording and leaving once uploads have been cut short. */
const CLOSING_SHARE = 0.25;
const MAX_CLOSING_MS = 5_000;
const never = new AbortController().signal;

export interface RunFacts {
  readonly plans: readonly SourcePlan[];
  /** Every destination a plan names. */
  readonly destinations: readonly {
    readonly destination: Destination;
    readonly concurrency: ConcurrencyOptions;
  }[];
  readonly http: HttpClient;
  readonly dataDir: string;
  readonly redis: { readonly url: string | null; readonly prefix: string };
  readonly maxPending: number;
  readonly retry: RetryOptions;
  /** Absolute paths of Slipway's own files and folders. */
  readonly ownPaths: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly onReceipts: (receipts: readonly Receipt[]) => void;
  readonly log: Log;
}

/** How one source ended under `--once`. */
export type OnceEnd = 'drained' | 'gave-up' | 'stopped';

/** Everything in one process: intake, workers, record. */
export interface Run {
  report(): Promise<LiveReport>;
  /** Receipts recorded since the start. */
  recorded(): Readonly<Record<ReceiptStatus, number>>;
  /**
   * Until everything that lies in the folders is recorded, or a source's destination is stopped, or nothing has
   * succeeded there for `giveUpMs` while files were failing.
   */
  once(giveUpMs: number, signal: AbortSignal): Promise<OnceEnd[]>;
  /**
   * Ends within the budget: finds nothing new, lets uploads in flight finish, records them, leaves.
   * @returns whether every upload in flight could finish
   */
  stop(budgetMs: number): Promise<boolean>;
  /** Cuts a stop under way short: uploads in flight are given back. */
  cutShort(): void;
}

/**
 * Starts the sources of a configuration.
 * @throws SlipwayError `source_missing`, `source_not_folder`, `data_dir…`, `redis_…`, `source_owned`
 */
export async function startRun(facts: RunFacts): Promise<Run> {
  const { plans, http, log, env, dataDir } = facts;
  const now = (): number => systemClock.nowMs();
  await Promise.all(plans.map(assertFolder));
  await openDataDir(dataDir);
  const redis = await openRedisAccess({ dataDir, url: facts.redis.url, env, log });

  const lines: SourceLine[] = [];
  const recorded: Record<ReceiptStatus, number> = { uploaded: 0, failed: 0, skipped: 0 };
  const meter = createRateMeter(now);
  const cut = new AbortController();
  const owner = { ...ownIdentity(), host: hostname() };

  const runners = new Map<string, { runner: DestinationRunner; max: number }>();
  for (const { destination, concurrency } of facts.destinations) {
    const { name } = destination;
    const inHand = (): number =>
      lines.filter(({ plan }) => plan.destination === name).reduce((sum, line) => sum + line.active(), 0);
    const runner = runDestination({ destination, concurrency, inHand, log, now });
    runners.set(name, { runner, max: concurrency.max });
  }

  function onRecorded(receipts: readonly Receipt[]): void {
    for (const { status, bytes } of receipts) {
      recorded[status] += 1;
      meter.add(1, status === 'uploaded' ? bytes : 0);
    }
    facts.onReceipts(receipts);
  }

  function runnerOf(plan: SourcePlan): { runner: DestinationRunner; max: number } {
    const found = runners.get(plan.destination);
    if (found === undefined)
      throw new SlipwayError('internal', { reason: `no destination ${plan.destination}` });
    return found;
  }

  async function startLine(plan: SourcePlan): Promise<SourceLine> {
    const { runner, max } = runnerOf(plan);
    const localDisk = (await networkFileSystemOf(plan.root)) === null;
    const handler = uploadHandler({
      root: plan.root,
      runner,
      send: http.send,
      smallReads: createSmallReads(localDisk, systemClock.monotonicMs),
      retry: facts.retry,
      clock: systemClock,
      random: Math.random,
      log,
    });
    const { maxPending, ownPaths } = facts;
    const { prefix } = facts.redis;
    const shared = { redis, prefix, dataDir, maxPending, ownPaths, owner, onRecorded, log, now };
    return await startSourceLine({ ...shared, plan, runner, handler, maxConcurrency: max });
  }

  async function leave(): Promise<void> {
    await reports.close();
    await Promise.all([...runners.values()].map(({ runner }) => runner.close()));
    await redis.close();
    await http.close();
  }

  const reports = publishReports({
    connection: redis.connection,
    prefix: facts.redis.prefix,
    owner,
    report,
    log,
  });
  try {
    for (const plan of plans) lines.push(await startLine(plan));
  } catch (error) {
    await Promise.all(lines.map((line) => line.quiesce().then(() => line.close(MAX_CLOSING_MS))));
    await leave();
    throw error;
  }

  async function report(): Promise<LiveReport> {
    const sources = await Promise.all(lines.map((line) => line.report()));
    const rate = meter.read();
    const pending = sources.reduce((sum, source) => sum + source.pending, 0);
    return {
      v: 1,
      at: new Date(now()).toISOString(),
      host: owner.host,
      pid: owner.pid,
      ...rate,
      etaSeconds: etaSeconds(pending, rate.filesPerSecond),
      sources,
      destinations: [...runners.values()].map(({ runner }) => destinationReport(runner)),
    };
  }

  async function lineOnce(line: SourceLine, giveUpMs: number, signal: AbortSignal): Promise<OnceEnd> {
    const { runner } = runnerOf(line.plan);
    const ended = new AbortController();
    const both = AbortSignal.any([signal, ended.signal]);
    const halted = new Promise<OnceEnd>((resolve) => {
      const look = (): void => {
        if (runner.health().kind === 'stopped') resolve('stopped');
        else if (runner.trouble() !== null && now() - (runner.lastSuccessAtMs() ?? startedAtMs) > giveUpMs) {
          resolve('gave-up');
        }
      };
      const startedAtMs = now();
      const timer = setInterval(look, Math.min(200, giveUpMs));
      runner.onHealth(look);
      both.addEventListener('abort', () => clearInterval(timer), { once: true });
      look();
    });
    const drained = line.drained(both).then((): OnceEnd => 'drained');
    try {
      return await Promise.race([halted, drained]);
    } finally {
      ended.abort();
      drained.catch(() => undefined);
    }
  }

  async function stop(budgetMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + budgetMs;
    const closingMs = Math.min(MAX_CLOSING_MS, budgetMs * CLOSING_SHARE);
    const active = (): number => lines.reduce((sum, line) => sum + line.active(), 0);
    const quiesced = Promise.all(lines.map((line) => line.quiesce()));
    for (const { runner } of runners.values()) {
      // Only what is being sent is finished; whoever waits for a permit, or for a ruling, goes back at once.
      runner.permits.dismiss();
      runner.refusals.close();
    }
    const complete = await untilIdle(active, budgetMs - closingMs, cut.signal);
    if (!complete) {
      log.warn({ uploads: active() }, 'uploads cut short; their jobs go back');
      for (const line of lines) line.abort();
      await untilIdle(active, closingMs / 2, never);
    }
    await within(quiesced, closingMs / 2);
    const leftMs = Math.max(0, deadlineMs - performance.now());
    await Promise.all(
      lines.map((line) => line.close(leftMs * 0.8).catch(logged('a source did not close in order'))),
    );
    await leave().catch(logged('not everything was left in order'));
    return complete;
  }

  const logged =
    (message: string) =>
    (error: unknown): void =>
      log.error({ reason: reasonOf(error) }, message);

  let stopped: Promise<boolean> | null = null;
  return {
    report,
    recorded: () => recorded,
    once: (giveUpMs, signal) => Promise.all(lines.map((line) => lineOnce(line, giveUpMs, signal))),
    stop(budgetMs) {
      stopped ??= stop(budgetMs);
      return stopped;
    },
    cutShort: () => cut.abort(),
  };
}

async function assertFolder({ name, root }: SourcePlan): Promise<void> {
  const stats = await stat(root).catch(() => null);
  if (stats === null) throw new SlipwayError('source_missing', { source: name, path: root });
  if (!stats.isDirectory()) throw new SlipwayError('source_not_folder', { source: name, path: root });
}

function destinationReport(runner: DestinationRunner): DestinationReport {
  const health = runner.health();
  return {
    name: runner.destination.name,
    origin: runner.destination.origin,
    health: health.kind,
    failure: health.kind === 'running' ? null : health.failure.message,
    lastTrouble: runner.trouble(),
    limit: runner.limit(),
    inFlight: runner.permits.inFlight(),
  };
}
