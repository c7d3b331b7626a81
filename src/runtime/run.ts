import type { BatchProgress } from '../domain/batch-progress.ts';
import type { SlipwayError } from '../domain/errors.ts';
import type { LiveReport } from '../domain/live-report.ts';
import type { Log } from '../domain/log.ts';
import type { ReceiptStatus } from '../domain/receipt.ts';
import { systemClock } from '../platform/waiting/clock.ts';
import type { DestinationTraffic } from '../traffic/destination-traffic.ts';
import { type OnceEnd, onceEnd, withPauses } from './once-end.ts';
import type { SourcePlan } from './plans/source-plan.ts';
import type { DestinationView } from './processes/worker-config.ts';
import { watchForMissingRole } from './reports/missing-role.ts';
import { publishReports } from './reports/process-reports.ts';
import { destinationViews, runReport } from './reports/run-report.ts';
import { isQuiet, openProcess, type RunFacts, type RunningProcess, uploadsHere } from './running-process.ts';
import { startSources, startWorker, trafficOf } from './start-sources.ts';
import { MAX_CLOSING_MS, stopRun } from './stop-run.ts';
import { watchForRoots } from './worker/late-roots.ts';
import { plansBySight } from './worker/visible-plans.ts';

export type { RunFacts } from './running-process.ts';

/** The sources of one process at work. */
export interface Run {
  report(): Promise<LiveReport>;
  /** Why a source can no longer be recorded, or is worked on by somebody else; null when all is well. */
  failure(): SlipwayError | null;
  /** Resolves when no source can go on: there is nothing left to run for. */
  readonly dead: Promise<void>;
  /** How far a batch is, by source; sources that do not know it are left out. */
  batch(id: string): BatchProgress[];
  /** What looks after a destination in this process; null: nothing does. */
  traffic(destination: string): DestinationTraffic | null;
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
 * Starts the sources of a configuration: see which are there → open what they share → put each to work.
 * @throws SlipwayError `source_missing` and `source_not_folder` of an owner, `data_dir…`, `redis_…`, `source_owned`
 */
export async function startRun(options: RunFacts): Promise<Run> {
  const { log } = options;
  const tell: Log['warn'] = (fields, text) =>
    isQuiet(options) ? log.debug(fields, text) : log.warn(fields, text);
  const { visible, unseen } = await plansBySight(options.plans, options.roles, tell);
  const here = await openProcess(options, visible);
  const { lateRoots, leave } = lookAround(here, unseen, tell);
  const cut = new AbortController();
  let stopped: Promise<boolean> | null = null;
  function stop(budgetMs: number): Promise<boolean> {
    here.stopping = true;
    lateRoots.close();
    stopped ??= stopRun(here, budgetMs, cut.signal, leave);
    return stopped;
  }
  try {
    await startSources(here, visible);
  } catch (error) {
    await stop(MAX_CLOSING_MS);
    throw error;
  }
  return runOf(here, stop, cut);
}

/**
 * What goes on beside the sources: this process says what it does, says so when nobody does the other half, and serves
 * folders that appear later.
 * @returns `leave` ends the rest of it, and closes what the process shares
 */
function lookAround(
  here: RunningProcess,
  unseen: readonly SourcePlan[],
  tell: Log['warn'],
): { readonly lateRoots: { close(): void }; leave(): Promise<void> } {
  const { options, redis, identity, traffics, sources } = here;
  const { roles, http, log } = options;
  const { connection } = redis;
  const { prefix } = options.redis;
  const reports = isQuiet(options)
    ? null
    : publishReports({ connection, prefix, owner: identity, report: () => runReport(here), log });
  const lateRoots = watchForRoots({
    ...{ unseen, tell, log, monotonicMs: systemClock.monotonicMs },
    async open(plan) {
      if (uploadsHere(options)) await startWorker(here, plan);
      sources.push(plan.name);
      const text = `opened the queue of source ${plan.name}: ${plan.root} is there now`;
      isQuiet(options) ? log.debug({ source: plan.name }, text) : log.info({ source: plan.name }, text);
    },
  });
  const missingRole = watchForMissingRole({ connection, prefix, roles, sources, log });
  return {
    lateRoots,
    async leave() {
      missingRole.close();
      await reports?.close();
      await traffics.close();
      await redis.close();
      await http.close();
    },
  };
}

function runOf(
  here: RunningProcess,
  stop: (budgetMs: number) => Promise<boolean>,
  cut: AbortController,
): Run {
  const { owners, pauses, counted } = here;
  const viewOf = (plan: SourcePlan) =>
    withPauses(here.pool?.view(plan.destination) ?? trafficOf(here, plan).traffic, () => pauses.of(plan));
  return {
    stop,
    report: () => runReport(here),
    recorded: () => counted.recorded,
    once: (giveUpMs, signal) =>
      Promise.all(
        owners.map((owner) => onceEnd(owner, viewOf(owner.plan), giveUpMs, signal, here.options.log)),
      ),
    failure: () => owners.map((owner) => owner.failure()).find((error) => error !== null) ?? null,
    dead:
      owners.length === 0
        ? new Promise(() => undefined)
        : Promise.all(owners.map((owner) => owner.dead)).then(() => undefined),
    batch: (id) => owners.map((owner) => owner.batch(id)).filter((progress) => progress !== null),
    traffic: (destination) => here.traffics.find(destination)?.traffic ?? null,
    destinationViews: () => destinationViews(here),
    cutShort() {
      cut.abort();
      here.pool?.cutShort();
    },
  };
}
