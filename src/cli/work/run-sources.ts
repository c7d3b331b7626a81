import type { Destination } from '../../destinations/destination.ts';
import type { Role } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import type { MetricsServer } from '../../gateway/operators/serve-metrics.ts';
import { acknowledgePublic } from '../../operations/control/acknowledgements.ts';
import { warnOfDeletion } from '../../operations/control/retention-warning.ts';
import { backlogOf } from '../../operations/ingest/ingest-preview.ts';
import { compose } from '../../runtime/compose.ts';
import { withWords } from '../../runtime/plans/said-destination.ts';
import { type SourcePlan, titleOf } from '../../runtime/plans/source-plan.ts';
import { ownPathsOf, sourcePlans } from '../../runtime/plans/source-plans.ts';
import { assertTokenVariables } from '../../runtime/plans/token-variables.ts';
import { type Run, startRun } from '../../runtime/run.ts';
import { EXIT, type ExitCode, exitCodeOf, worstExit } from '../exit-codes.ts';
import { jsonLine } from '../screen/json-line.ts';
import { logScreen, type RunScreen, terminalScreen } from '../screen/run-screen.ts';
import { openSession, type Session, type SharedFlags } from '../session.ts';
import { ladderOf, type SignalLadder, type Stoppable } from '../signal-ladder.ts';
import { confirmPublic } from './confirm-public.ts';
import { type DestinationFlags, wordsWithTo } from './destination-flags.ts';
import { givenMeta, type MetaFlags } from './meta-flags.ts';
import { onceExit, onceSummary, onceTrouble } from './once-outcome.ts';
import { withSettledNames } from './settled-names.ts';
import { configuredDestinations, withSandbox } from './trial-sandbox.ts';

export interface RunFlags extends SharedFlags, MetaFlags, DestinationFlags {
  readonly to?: string;
  readonly once?: boolean;
  /** Milliseconds. */
  readonly giveUp?: number;
  readonly yes?: boolean;
  readonly json?: boolean;
  /** `worker --concurrency`. */
  readonly concurrency?: number;
}

const MINUTE = 60_000;
const GIVE_UP_MS = MINUTE;
const REPORT_MS = 500;

/**
 * Runs sources in the given roles until a signal, or with `--once` until what is there is recorded.
 * @param narrowed what of each source this run is about
 * @returns the exit code of contract §7
 */
export async function runSources(
  paths: readonly string[],
  flags: RunFlags,
  roles: readonly Role[],
  narrowed: (plan: SourcePlan) => SourcePlan = (plan) => plan,
): Promise<ExitCode> {
  const words = wordsWithTo(flags);
  const read = await openSession(flags, paths.length === 0);
  const opened = await withSettledNames(read, roles, { paths });
  const meant = paths.length === 0 ? configuredDestinations(opened) : [flags.to];
  return await withSandbox(opened, meant, (session) =>
    runIn(withWords(session, flags.to, words), paths, flags, roles, narrowed),
  );
}

async function runIn(
  session: Session,
  paths: readonly string[],
  flags: RunFlags,
  roles: readonly Role[],
  narrowed: (plan: SourcePlan) => SourcePlan,
): Promise<ExitCode> {
  const screen =
    process.stderr.isTTY && flags.json !== true
      ? terminalScreen(process.stderr, process.env)
      : logScreen(session.log);
  const { plans: found, definitions } = await sourcePlans(paths, flags.to, session);
  const plans = found.map(narrowed);
  const meta = await givenMeta(
    flags,
    plans.map(({ root }) => root),
  );
  if (roles.includes('worker')) assertTokenVariables(definitions, session.env, screen.log);
  const composed = compose(session, definitions, { log: screen.log, most: flags.concurrency });
  let metrics: MetricsServer | null = null;
  try {
    const { config } = session;
    const ownPaths = ownPathsOf(session, plans);
    if (roles.includes('intake')) warnOfDeletion(plans, definitions, screen.log);
    await acknowledgePublic(
      composed.destinations.map(({ destination }) => destination),
      {
        plans,
        ownPaths,
        dataDir: config.dataDir,
        confirm: (question) => confirmPublic(question, flags.yes === true),
      },
    );
    const { host, port } = config.metrics;
    metrics = port === null ? null : await metricsAt(host, port, screen.log);
    const starting = startRun({
      ...composed.run(plans, roles),
      ...{ ownPaths, meta },
      onReceipts(receipts) {
        screen.receipts(receipts);
        metrics?.receipts(receipts);
        if (flags.json === true) process.stdout.write(receipts.map((receipt) => jsonLine(receipt)).join(''));
      },
    });
    const drainMs = config.shutdown.drain;
    const stoppable = starting.then(sayingWhatWaits(screen.say));
    // A start that fails is told where it is waited for.
    stoppable.catch(() => undefined);
    const ladder = ladderOf(stoppable, drainMs, screen.say);
    try {
      const onDisk = (): Promise<number> =>
        keptOnDisk(plans, composed.destinations, { ownPaths, dataDir: config.dataDir });
      const running = await starting;
      metrics?.follow(running);
      return await follow(running, ladder, screen, plans, flags, roles, drainMs, onDisk);
    } finally {
      ladder.release();
    }
  } catch (error) {
    await composed.http.close();
    throw error;
  } finally {
    await metrics?.close();
    screen.end();
  }
}

/** The same run, which says at a stop how many files it leaves for the next start. */
function sayingWhatWaits(say: (line: string) => void): (running: Run) => Stoppable {
  const recorded = (running: Run): number =>
    Object.values(running.recorded()).reduce((sum, count) => sum + count, 0);
  return (running) => ({
    cutShort: running.cutShort,
    async stop(budgetMs) {
      const before = recorded(running);
      // Redis may be away: that says nothing then, and costs the stop little.
      const report = await Promise.race([
        running.report().catch(() => null),
        new Promise<null>((resolve) => setTimeout(resolve, REPORT_MS, null).unref()),
      ]);
      const complete = await running.stop(budgetMs);
      const open = report?.sources.reduce((sum, { pending }) => sum + pending, 0) ?? 0;
      const waiting = open - (recorded(running) - before);
      if (waiting > 0) say(`${waiting} files wait for the next start`);
      return complete;
    },
  });
}

/** Loaded where it is wanted: most runs have none. */
async function metricsAt(host: string, port: number, log: Log): Promise<MetricsServer> {
  const { serveMetrics } = await import('../../gateway/operators/serve-metrics.ts');
  return await serveMetrics({ host, port }, log);
}

async function follow(
  running: Run,
  ladder: SignalLadder,
  screen: RunScreen,
  plans: readonly SourcePlan[],
  flags: RunFlags,
  roles: readonly Role[],
  drainMs: number,
  onDisk: () => Promise<number>,
): Promise<ExitCode> {
  // Folders that a worker does not see yet it has named already.
  const serves = roles.includes('intake') ? null : (await running.report()).serves;
  for (const plan of plans) {
    const { name, root, destination, manifest } = plan;
    if (serves?.includes(name) === false) continue;
    screen.say(
      roles.includes('intake')
        ? `watching ${root} (source ${titleOf(plan)}) → ${destination}; manifest ${manifest}`
        : `uploading from ${root} (source ${titleOf(plan)}) → ${destination}`,
    );
  }
  screen.follow(running.report);
  const over = new AbortController();
  try {
    if (flags.once !== true) return await untilEnded(running, ladder, drainMs);
    const once = running.once(flags.giveUp ?? GIVE_UP_MS, over.signal).catch((error: unknown) => {
      // What a signal ended did not fail.
      if (ladder.came() === EXIT.ok) throw error;
      return ladder.ended;
    });
    // Of the loser of the race nobody hears any more.
    once.catch(() => undefined);
    const ended = await Promise.race([ladder.ended, once]);
    if (typeof ended === 'number') return ended === EXIT.ok ? failureExit(running) : ended;
    const report = await running.report();
    const code = onceExit(ended, running, report);
    if (code === EXIT.ok) screen.say(onceSummary(running.recorded(), report));
    await running.stop(drainMs);
    // The queue has room for some of them only, and it may have ended before all were found.
    const isCut = ended.some((end) => end === 'gave-up' || end === 'stopped');
    if (code !== EXIT.ok) screen.say(onceTrouble(report, isCut ? await onDisk().catch(() => 0) : 0));
    return worstExit([code, failureExit(running)]);
  } catch (error) {
    await running.stop(drainMs);
    throw error;
  } finally {
    over.abort();
  }
}

/** Files that lie in the folders and are not recorded: what the next run has to do. */
async function keptOnDisk(
  plans: readonly SourcePlan[],
  destinations: readonly { readonly destination: Pick<Destination, 'name' | 'limits'> }[],
  { ownPaths, dataDir }: { readonly ownPaths: readonly string[]; readonly dataDir: string },
): Promise<number> {
  let files = 0;
  for (const { destination } of destinations) {
    const concerned = plans.filter((plan) => plan.destination === destination.name);
    files += (await backlogOf(concerned, ownPaths, dataDir, destination.limits)).files;
  }
  return files;
}

/** Until a signal has ended it, or no source can go on. */
async function untilEnded(running: Run, ladder: SignalLadder, drainMs: number): Promise<ExitCode> {
  const code = await Promise.race([ladder.ended, running.dead]);
  if (code === undefined) await running.stop(drainMs);
  return code === undefined || code === EXIT.ok ? failureExit(running) : code;
}

/** A clean end is none while results could not be recorded. */
function failureExit(running: Run): ExitCode {
  const failure = running.failure();
  return failure === null ? EXIT.ok : exitCodeOf(failure);
}
