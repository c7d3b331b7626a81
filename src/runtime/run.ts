import type { Blocker } from '../domain/blocker.ts';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import { etaSeconds, type LiveReport } from '../domain/live-report.ts';
import type { Log } from '../domain/log.ts';
import { pauseBlocker, pauseText } from '../domain/pause-list.ts';
import type { Receipt, ReceiptStatus } from '../domain/receipt.ts';
import { spoolFolder } from '../intake/archives/spool.ts';
import { createSpoolBudget } from '../intake/archives/spool-budget.ts';
import { networkFileSystemOf } from '../intake/watch/network-fs.ts';
import { openDataDir } from '../ledger/store/data-dir.ts';
import { createRateMeter } from '../pacing/rate-meter.ts';
import { hostIdentity, ownIdentity } from '../platform/process/process-identity.ts';
import { systemClock } from '../platform/waiting/clock.ts';
import { untilIdle } from '../platform/waiting/until-idle.ts';
import { within } from '../platform/waiting/within.ts';
import { openPauses } from '../redis/coordination/pauses.ts';
import { openRedisAccess } from '../redis/redis-access.ts';
import { PROBE_TIMING } from '../traffic/destination-health.ts';
import { createSmallReads } from '../upload/body/small-reads.ts';
import { uploadHandler } from '../upload/job/upload-handler.ts';
import { type OnceView, onceEnd } from './once-end.ts';
import { type SourceOwner, startSourceOwner } from './owner/source-owner.ts';
import type { SourcePlan } from './plans/source-plan.ts';
import type { DestinationView, HeldRoots } from './processes/worker-config.ts';
import type { WorkerPool } from './processes/worker-pool.ts';
import { destinationReport } from './reports/destination-report.ts';
import { watchForMissingRole } from './reports/missing-role.ts';
import { publishReports } from './reports/process-reports.ts';
import type { Run, RunFacts } from './run-port.ts';
import { watchForRoots } from './worker/late-roots.ts';
import { type OpenTraffic, openTraffics } from './worker/open-traffic.ts';
import { type RootWatch, rootCheckOf } from './worker/root-watch.ts';
import { type SourceWorker, startSourceWorker } from './worker/source-worker.ts';
import { plansBySight } from './worker/visible-plans.ts';

/** Left of the shutdown budget for recording and leaving once uploads have been cut short. */
const CLOSING_SHARE = 0.25;
const MAX_CLOSING_MS = 5_000;
/** Its parent's `--once` gives up on what fails, not on what nobody tries. */
const LOOKS_OF_A_CHILD = 7;
const never = new AbortController().signal;

export type { Run, RunFacts } from './run-port.ts';

/**
 * Starts the sources of a configuration.
 * @throws SlipwayError `source_missing` and `source_not_folder` of an owner, `data_dir…`, `redis_…`, `source_owned`
 */
export async function startRun(options: RunFacts): Promise<Run> {
  const { roles, http, log, env, dataDir, probe = PROBE_TIMING } = options;
  const { prefix } = options.redis;
  const now = (): number => systemClock.nowMs();
  // What an upload process sees, or does not, its parent says.
  const quiet = options.published === false;
  const tell: Log['warn'] = (fields, text) => (quiet ? log.debug(fields, text) : log.warn(fields, text));
  const { visible, unseen } = await plansBySight(options.plans, roles, tell);
  await openDataDir(dataDir);
  const redis = await openRedisAccess({ dataDir, url: options.redis.url, env, log });
  const { connection } = redis;

  const owners: SourceOwner[] = [];
  const workers: SourceWorker[] = [];
  const rootGates: RootWatch[] = [];
  let stopping = false;
  const recorded: Record<ReceiptStatus, number> = { uploaded: 0, failed: 0, skipped: 0 };
  const meter = createRateMeter(now);
  const cut = new AbortController();
  const spool = createSpoolBudget(options.spoolMaxBytes ?? 0);
  const owner = { ...ownIdentity(), host: hostIdentity() };

  const uploadsHere = roles.includes('worker') && options.pool === undefined;
  const pauses = await openPauses({ dataDir, connection, prefix, log });
  const traffics = await openTraffics({
    ...{ connection, prefix, pauses, probe, log, now, member: `${owner.host}:${owner.pid}` },
    destinations: uploadsHere ? options.destinations : [],
    inHand: (name) =>
      workers.filter(({ plan }) => plan.destination === name).reduce((sum, line) => sum + line.active(), 0),
  });

  function onRecorded(receipts: readonly Receipt[]): void {
    for (const { status, bytes, reusedFrom } of receipts) {
      recorded[status] += 1;
      meter.add(1, status === 'uploaded' && reusedFrom === undefined ? bytes : 0);
    }
    options.onReceipts(receipts);
  }

  function runnerOf(plan: SourcePlan): OpenTraffic {
    const found = traffics.find(plan.destination);
    if (found === undefined)
      throw new SlipwayError('internal', { reason: `no destination ${plan.destination}` });
    return found;
  }

  async function startWorker(plan: SourcePlan): Promise<void> {
    const { traffic, max } = runnerOf(plan);
    const localDisk = (await networkFileSystemOf(plan.root)) === null;
    const line = owners.find((one) => one.plan === plan);
    const rootCheck = await rootCheckOf(plan, line, {
      ...{ connection, prefix, host: owner.host, monotonicMs: systemClock.monotonicMs, log },
      told: options.heldRoots?.[plan.name] ?? null,
      maxLooks: quiet ? LOOKS_OF_A_CHILD : Number.POSITIVE_INFINITY,
      set: (holds) => worker.gate.hold('root-gone', !holds),
    });
    // Of a folder that appeared while this process ends.
    if (stopping) return;
    rootGates.push(rootCheck);
    const handler = uploadHandler({
      root: plan.root,
      rootCheck,
      spool: spoolFolder(dataDir, plan.name),
      traffic,
      pauses,
      send: http.send,
      smallReads: createSmallReads(localDisk, systemClock.monotonicMs),
      retry: options.retry,
      clock: systemClock,
      random: Math.random,
      log,
    });
    const onFinished = line?.wake ?? (() => undefined);
    const shared = { plan, traffic, pauses, handler, redis, prefix, onFinished, log, now };
    const worker = startSourceWorker({ ...shared, maxConcurrency: max, ownerElsewhere: line === undefined });
    workers.push(worker);
  }

  async function startOwner(plan: SourcePlan): Promise<void> {
    const { maxPending, ownPaths } = options;
    const ofPlan = (): SourceWorker[] => workers.filter((line) => line.plan === plan);
    const to = options.destinations.find(({ destination }) => destination.name === plan.destination);
    const line = await startSourceOwner({
      ...{ plan, redis, prefix, dataDir, maxPending, ownPaths, owner, onRecorded, log, now },
      limits: to?.destination.limits ?? null,
      spool,
      batch: options.batches?.find((part) => part.source === plan.name),
      telling: options.telling ?? null,
      ...{ failpoint: options.failpoint, meta: options.meta },
      onRecording(recording) {
        for (const { gate } of ofPlan()) gate.hold('recording', !recording);
      },
      onLost() {
        for (const worker of ofPlan()) {
          worker.gate.hold('owner-lost', true);
          worker.abort();
        }
      },
    });
    owners.push(line);
  }

  async function leave(): Promise<void> {
    missingRole.close();
    await reports?.close();
    await traffics.close();
    await redis.close();
    await http.close();
  }

  /** Grows by those whose folders appear later. */
  const sources = visible.map(({ name }) => name);
  const reports =
    options.published === false ? null : publishReports({ connection, prefix, owner, report, log });
  const lateRoots = watchForRoots({
    ...{ unseen, tell, log, monotonicMs: systemClock.monotonicMs },
    async open(plan) {
      if (uploadsHere) await startWorker(plan);
      sources.push(plan.name);
      const text = `opened the queue of source ${plan.name}: ${plan.root} is there now`;
      quiet ? log.debug({ source: plan.name }, text) : log.info({ source: plan.name }, text);
    },
  });
  let pool: WorkerPool | null = null;
  const missingRole = watchForMissingRole({ connection, prefix, roles, sources, log });
  try {
    for (const plan of visible) {
      if (roles.includes('intake')) await startOwner(plan);
      if (uploadsHere) await startWorker(plan);
    }
    const heldRoots = (): HeldRoots =>
      Object.fromEntries(owners.map((line) => [line.plan.name, line.rootHeld()]));
    pool = options.pool?.(heldRoots) ?? null;
  } catch (error) {
    await stop(MAX_CLOSING_MS);
    throw error;
  }

  async function report(): Promise<LiveReport> {
    const sourceReports = await Promise.all(
      owners.map(async (line) => {
        const paused = pauses.of(line.plan);
        return { ...(await line.report()), ...(paused === null ? {} : { paused: pauseText(paused) }) };
      }),
    );
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
    return traffics.all().map((traffic) => ({
      report: destinationReport(traffic, pauses),
      blockers: traffic.blockers(),
      trouble: traffic.trouble(),
      lastProgressAtMs: traffic.lastProgressAtMs(),
      movingSinceMs: traffic.movingSinceMs(),
    }));
  }

  function viewOf(plan: SourcePlan): OnceView {
    const there: OnceView = pool === null ? runnerOf(plan).traffic : pool.view(plan.destination);
    const paused = (): Blocker[] => [pauses.of(plan)].filter((one) => one !== null).map(pauseBlocker);
    return { ...there, blockers: () => [...paused(), ...there.blockers()] };
  }

  function logged(message: string): (error: unknown) => void {
    return (error) => log.error({ reason: reasonOf(error) }, message);
  }

  async function stop(budgetMs: number): Promise<boolean> {
    stopping = true;
    lateRoots.close();
    for (const gate of rootGates) gate.close();
    const deadlineMs = performance.now() + budgetMs;
    const closingMs = Math.min(MAX_CLOSING_MS, budgetMs * CLOSING_SHARE);
    const active = (): number => workers.reduce((sum, line) => sum + line.active(), 0);
    for (const { gate } of workers) gate.hold('shutdown', true);
    const quiesced = Promise.all(owners.map((line) => line.quiesce()));
    for (const traffic of traffics.all()) {
      // Only what is being sent is finished; whoever waits for a permit, or for a ruling, goes back at once.
      traffic.permits.dismiss();
      traffic.refusals.close();
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
