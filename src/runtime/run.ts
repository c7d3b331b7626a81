import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Receipt, ReceiptStatus } from '../domain/receipt.ts';
import { spoolFolder } from '../intake/archives/spool.ts';
import { createSpoolBudget } from '../intake/archives/spool-budget.ts';
import { networkFileSystemOf } from '../intake/network-fs.ts';
import type { ConcurrencyOptions } from '../pacing/options.ts';
import { systemClock } from '../platform/clock.ts';
import type { HttpClient } from '../platform/http-client.ts';
import { hostIdentity, ownIdentity } from '../platform/process-identity.ts';
import { within } from '../platform/within.ts';
import { openDataDir } from '../record/data-dir.ts';
import type { RetryOptions } from '../upload/options.ts';
import { createSmallReads } from '../upload/small-reads.ts';
import type { BatchFacts, BatchView } from './batch-facts.ts';
import { watchForCounterpart } from './counterpart.ts';
import { destinationReport } from './destination-report.ts';
import {
  type DestinationRunner,
  PROBE_TIMING,
  type ProbeTiming,
  type RunnableDestination,
  runDestination,
} from './destination-runner.ts';
import { etaSeconds, type LiveReport, type Role } from './live-report.ts';
import { type OnceEnd, type OnceView, onceEnd } from './once-end.ts';
import { type OwnerLine, type OwnerLineFacts, startOwnerLine } from './owner-line.ts';
import { publishReports } from './process-reports.ts';
import { createRateMeter } from './rate-meter.ts';
import { openRedisAccess } from './redis-access.ts';
import type { SourcePlan } from './source-plan.ts';
import { untilIdle } from './until-idle.ts';
import { uploadHandler } from './upload-handler.ts';
import { visiblePlans } from './visible-plans.ts';
import { startWorkerLine, type WorkerLine } from './worker-line.ts';
import type { WorkerPool } from './worker-pool.ts';
import type { DestinationView } from './worker-seed.ts';

/** Left of the shutdown budget for recording and leaving once uploads have been cut short. */
const CLOSING_SHARE = 0.25;
const MAX_CLOSING_MS = 5_000;
const never = new AbortController().signal;

export interface RunFacts extends BatchFacts, Pick<OwnerLineFacts, 'meta'> {
  /** Both: everything in one process. */
  readonly roles: readonly Role[];
  readonly plans: readonly SourcePlan[];
  /** Every destination a plan names; needed by workers only. */
  readonly destinations: readonly {
    readonly destination: RunnableDestination;
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
  /** When a stopped destination is tried again. */
  readonly probe?: ProbeTiming;
  /** Whether `status` may find this process's report; an upload process reports to its parent instead. */
  readonly published?: boolean;
  /** Starts the upload processes that do the uploading in place of this process. */
  readonly pool?: () => WorkerPool;
  /** For the fault harness only: nothing in the product sets it. */
  readonly failpoint?: OwnerLineFacts['failpoint'];
}

/** The sources of one process at work. */
export interface Run extends BatchView {
  report(): Promise<LiveReport>;
  /** Why a source can no longer be recorded, or is worked on by somebody else; null when all is well. */
  failure(): SlipwayError | null;
  /** Resolves when no source can go on: there is nothing left to run for. */
  readonly dead: Promise<void>;
  /** For the parent of an upload process. */
  destinationViews(): DestinationView[];
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
  const { roles, http, log, env, dataDir, probe = PROBE_TIMING } = facts;
  const { prefix } = facts.redis;
  const now = (): number => systemClock.nowMs();
  const plans = await visiblePlans(facts.plans, roles, log);
  await openDataDir(dataDir);
  const redis = await openRedisAccess({ dataDir, url: facts.redis.url, env, log });
  const { connection } = redis;

  const owners: OwnerLine[] = [];
  const workers: WorkerLine[] = [];
  const recorded: Record<ReceiptStatus, number> = { uploaded: 0, failed: 0, skipped: 0 };
  const meter = createRateMeter(now);
  const cut = new AbortController();
  const spool = createSpoolBudget(facts.spoolMaxBytes ?? 0);
  const owner = { ...ownIdentity(), host: hostIdentity() };

  const runners = new Map<string, { runner: DestinationRunner; max: number }>();
  const uploadsHere = roles.includes('worker') && facts.pool === undefined;
  for (const { destination, concurrency } of uploadsHere ? facts.destinations : []) {
    const { name } = destination;
    const inHand = (): number =>
      workers.filter(({ plan }) => plan.destination === name).reduce((sum, line) => sum + line.active(), 0);
    const runner = runDestination({ destination, concurrency, inHand, log, now, probe });
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

  async function startWorker(plan: SourcePlan): Promise<void> {
    const { runner, max } = runnerOf(plan);
    const localDisk = (await networkFileSystemOf(plan.root)) === null;
    const handler = uploadHandler({
      root: plan.root,
      spool: spoolFolder(dataDir, plan.name),
      runner,
      send: http.send,
      smallReads: createSmallReads(localDisk, systemClock.monotonicMs),
      retry: facts.retry,
      clock: systemClock,
      random: Math.random,
      log,
    });
    const owner = owners.find((line) => line.plan === plan);
    const onFinished = owner?.wake ?? (() => undefined);
    const shared = { plan, runner, handler, redis, prefix, onFinished, log, now };
    workers.push(startWorkerLine({ ...shared, maxConcurrency: max, ownerElsewhere: owner === undefined }));
  }

  async function startOwner(plan: SourcePlan): Promise<void> {
    const { maxPending, ownPaths } = facts;
    const ofPlan = (): WorkerLine[] => workers.filter((line) => line.plan === plan);
    const line = await startOwnerLine({
      ...{ plan, redis, prefix, dataDir, maxPending, ownPaths, owner, onRecorded, log, now },
      spool,
      batch: facts.batches?.find((part) => part.source === plan.name),
      ...{ failpoint: facts.failpoint, meta: facts.meta },
      onRecording(recording) {
        for (const { gate } of ofPlan()) gate.set('recording', recording);
      },
      onLost() {
        for (const worker of ofPlan()) {
          worker.gate.set('owner', false);
          worker.abort();
        }
      },
    });
    owners.push(line);
  }

  async function leave(): Promise<void> {
    counterpart.close();
    await reports?.close();
    await Promise.all([...runners.values()].map(({ runner }) => runner.close()));
    await redis.close();
    await http.close();
  }

  const sources = plans.map(({ name }) => name);
  const reports =
    facts.published === false ? null : publishReports({ connection, prefix, owner, report, log });
  let pool: WorkerPool | null = null;
  const counterpart = watchForCounterpart({ connection, prefix, roles, sources, log });
  try {
    for (const plan of plans) {
      if (roles.includes('intake')) await startOwner(plan);
      if (uploadsHere) await startWorker(plan);
    }
    pool = facts.pool?.() ?? null;
  } catch (error) {
    await stop(MAX_CLOSING_MS);
    throw error;
  }

  async function report(): Promise<LiveReport> {
    const sourceReports = await Promise.all(owners.map((line) => line.report()));
    const rate = meter.read();
    const pending = sourceReports.reduce((sum, source) => sum + source.pending, 0);
    return {
      v: 1,
      at: new Date(now()).toISOString(),
      host: owner.host,
      pid: owner.pid,
      roles,
      serves: sources,
      ...rate,
      etaSeconds: etaSeconds(pending, rate.filesPerSecond),
      sources: sourceReports,
      destinations: pool?.reports() ?? destinationViews().map((view) => view.report),
    };
  }

  function destinationViews(): DestinationView[] {
    return [...runners.values()].map(({ runner }) => ({
      report: destinationReport(runner),
      lastProgressAtMs: runner.lastProgressAtMs(),
      movingSinceMs: runner.movingSinceMs(),
      troubleSinceMs: runner.troubleSinceMs(),
    }));
  }

  function viewOf(plan: SourcePlan): OnceView {
    if (pool !== null) return pool.view(plan.destination);
    const { runner } = runnerOf(plan);
    return { ...runner, health: () => runner.health().kind };
  }

  function logged(message: string): (error: unknown) => void {
    return (error) => log.error({ reason: reasonOf(error) }, message);
  }

  async function stop(budgetMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + budgetMs;
    const closingMs = Math.min(MAX_CLOSING_MS, budgetMs * CLOSING_SHARE);
    const active = (): number => workers.reduce((sum, line) => sum + line.active(), 0);
    for (const { gate } of workers) gate.set('running', false);
    const quiesced = Promise.all(owners.map((line) => line.quiesce()));
    for (const { runner } of runners.values()) {
      // Only what is being sent is finished; whoever waits for a permit, or for a ruling, goes back at once.
      runner.permits.dismiss();
      runner.refusals.close();
    }
    const poolStopped = pool?.stop(budgetMs - closingMs) ?? true;
    const idle = await untilIdle(active, budgetMs - closingMs, cut.signal);
    if (!idle) {
      log.warn({ uploads: active() }, 'uploads cut short; their jobs go back');
      for (const line of workers) line.abort();
      await untilIdle(active, closingMs / 2, never);
    }
    const complete = (await poolStopped) && idle;
    await within(quiesced, closingMs / 2);
    const leftMs = Math.max(0, deadlineMs - performance.now());
    await Promise.all(workers.map((line) => line.close(leftMs * 0.4)));
    // First the workers: what they have finished is still to be recorded.
    await Promise.all(
      owners.map((line) => line.close(leftMs * 0.4).catch(logged('a source did not close in order'))),
    );
    await leave().catch(logged('not everything was left in order'));
    return complete;
  }

  let stopped: Promise<boolean> | null = null;
  return {
    report,
    recorded: () => recorded,
    once: (giveUpMs, signal) =>
      Promise.all(owners.map((line) => onceEnd(line, viewOf(line.plan), giveUpMs, signal))),
    stop(budgetMs) {
      stopped ??= stop(budgetMs);
      return stopped;
    },
    failure: () => owners.map((line) => line.failure()).find((error) => error !== null) ?? null,
    dead:
      owners.length === 0
        ? new Promise(() => undefined)
        : Promise.all(owners.map((line) => line.dead)).then(() => undefined),
    batch: (id) => owners.map((line) => line.batch(id)).filter((progress) => progress !== null),
    destinationViews,
    cutShort() {
      cut.abort();
      pool?.cutShort();
    },
  };
}
