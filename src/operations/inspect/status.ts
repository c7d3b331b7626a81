import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchState } from '../../domain/batch.ts';
import { reasonOf } from '../../domain/errors.ts';
import type { LiveReport, SourceReport } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import { type Pause, type PauseList, pauseOf } from '../../domain/pause-list.ts';
import { ownerOf } from '../../ledger/store/source-lock.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openBatchStates } from '../../ledger/tables/batch-states.ts';
import { openLostCount } from '../../ledger/tables/lost-count.ts';
import { type QueueHold, readQueueHolds } from '../../queue/queue-holds.ts';
import { readPauses } from '../../redis/coordination/pauses.ts';
import { findRedis, type RedisConnection } from '../../redis/redis-access.ts';
import { isRedisFailure, redisFailure } from '../../redis/redis-failure.ts';
import { isPrivate, type RedisPlace } from '../../redis/redis-place.ts';
import { redisOrigin } from '../../redis/redis-target.ts';
import { writeRefusal } from '../../redis/write-trial.ts';
import { type SourcePlan, titleOf } from '../../runtime/plans/source-plan.ts';
import { readReports } from '../../runtime/reports/process-reports.ts';
import { type DestinationStatus, destinationStatuses } from './destination-status.ts';

/** One source as `status` shows it: from the process that runs it, else from its ledger. */
export interface SourceStatus
  extends Pick<SourceReport, 'name' | 'discovered' | 'uploaded' | 'failed' | 'skipped' | 'dead' | 'pending'> {
  readonly running: boolean;
  /** Jobs that were gone from Redis without a recorded result; their files were queued again. */
  readonly lostJobs: number;
  /** What only a running process knows. */
  readonly live: SourceReport | null;
  readonly path: string | null;
  readonly destination: string | null;
  readonly manifest: string | null;
  /** Those that have not ended. */
  readonly batches: readonly BatchState[];
  /** What somebody has set on its queue past Slipway, in one line each. */
  readonly held: readonly QueueHold[];
}

export interface Status {
  readonly v: 1;
  /** Whether any process works on these sources now; where Redis cannot tell, whether one of this host does. */
  readonly running: boolean;
  /** What running processes tell comes from there; without an answer nobody knows whether any runs elsewhere. */
  readonly redis: 'ok' | 'unreachable' | 'refuses writes' | 'not running';
  /** Why it does not answer, or takes nothing, with the fix; null where it does, or where there is nothing to ask. */
  readonly redisTrouble: string | null;
  readonly filesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | null;
  readonly sources: readonly SourceStatus[];
  readonly destinations: readonly DestinationStatus[];
  /** What the user has paused, whether or not anything runs. */
  readonly paused: readonly Pause[];
}

/** Reads the state without starting or changing anything: no Redis is started for it (contract §7). */
export async function readStatus(options: {
  /** Of every source that is known, those once named on the command line included. */
  readonly plans: readonly SourcePlan[];
  readonly dataDir: string;
  readonly redis: RedisPlace;
  readonly log: Log;
}): Promise<Status> {
  const { plans, dataDir } = options;
  const { redis, redisTrouble, reports, pauses, holds } = await liveReports(options);
  const live = new Map(
    reports.flatMap(({ sources }) => sources.map((source) => [source.name, source] as const)),
  );
  const names = new Set([
    ...plans.map(({ name }) => name),
    ...(await recordedSources(dataDir)),
    ...live.keys(),
  ]);
  const sources: SourceStatus[] = [];
  for (const name of names) {
    const plan = plans.find((one) => one.name === name) ?? null;
    const status = await sourceStatus(name, plan, live.get(name) ?? null, dataDir);
    const held = holds.get(name) ?? [];
    sources.push({ ...status, held, ...(plan === null ? {} : { name: titleOf(plan) }) });
  }
  const rate = (pick: (report: LiveReport) => number): number =>
    reports.reduce((sum, report) => sum + pick(report), 0);
  const etas = reports.map(({ etaSeconds }) => etaSeconds);
  return {
    v: 1,
    running: reports.length > 0 || (hidesReports(redis) && anyOwned(dataDir, names)),
    redis,
    redisTrouble,
    filesPerSecond: rate(({ filesPerSecond }) => filesPerSecond),
    bytesPerSecond: rate(({ bytesPerSecond }) => bytesPerSecond),
    etaSeconds: etas.length === 0 || etas.includes(null) ? null : Math.max(...etas.map(Number)),
    sources,
    destinations: destinationStatuses(
      reports.flatMap(({ destinations }) => destinations),
      [...live.values()],
      (destination) => pauseOf(pauses, { destination })?.since ?? null,
    ),
    paused: pauses.paused,
  };
}

type Live = Pick<Status, 'redis' | 'redisTrouble'> & {
  readonly reports: readonly LiveReport[];
  readonly pauses: PauseList;
  readonly holds: Holds;
};

/** By source. */
type Holds = ReadonlyMap<string, readonly QueueHold[]>;

const NO_HOLDS: Holds = new Map();

/** Whether processes may work that could not tell of themselves. */
function hidesReports(redis: Status['redis']): boolean {
  return redis === 'unreachable' || redis === 'refuses writes';
}

/** By the locks in the data folder: of this host alone. */
function anyOwned(dataDir: string, sources: Iterable<string>): boolean {
  return [...sources].some((source) => ownerOf(dataDir, source) !== null);
}

/** What a Redis that shows no process says when it is written to: reports are written, and expire. */
async function troubleOf(
  connection: RedisConnection,
  redis: RedisPlace,
): Promise<Pick<Status, 'redis' | 'redisTrouble'>> {
  const reason = await writeRefusal(connection, redis.prefix);
  if (reason === null) return { redis: 'ok', redisTrouble: null };
  const where = isPrivate(redis) ? 'the data folder' : redisOrigin(redis);
  const { message } = redisFailure(new Error(reason), { target: redis, where, prefix: redis.prefix });
  return { redis: 'refuses writes', redisTrouble: message };
}

/** A Redis that is down hides the live part only: the ledgers are files. */
async function liveReports(options: Parameters<typeof readStatus>[0]): Promise<Live> {
  const { dataDir, redis, log } = options;
  let connection: RedisConnection | null = null;
  try {
    connection = await findRedis({ dataDir, redis, log });
    if (connection === null) {
      return {
        redis: 'not running',
        redisTrouble: null,
        reports: [],
        pauses: await readPauses(dataDir, null),
        holds: NO_HOLDS,
      };
    }
    const { prefix } = redis;
    const [reports, pauses] = await Promise.all([
      readReports(connection, prefix),
      readPauses(dataDir, { connection, prefix }),
    ]);
    const seen = { redis: 'ok', redisTrouble: null } as const;
    const state = reports.length > 0 ? seen : await troubleOf(connection, redis);
    return { ...state, reports, pauses, holds: await holdsIn(connection, options, reports) };
  } catch (error) {
    const isLost = connection !== null && connection.status !== 'ready';
    if (!isLost && !isRedisFailure(error)) throw error;
    const pauses = await readPauses(dataDir, null);
    return { redis: 'unreachable', redisTrouble: reasonOf(error), reports: [], pauses, holds: NO_HOLDS };
  } finally {
    connection?.disconnect();
  }
}

async function holdsIn(
  connection: RedisConnection,
  { plans, dataDir, redis }: Parameters<typeof readStatus>[0],
  reports: readonly LiveReport[],
): Promise<Holds> {
  const names = new Set([
    ...plans.map(({ name }) => name),
    ...(await recordedSources(dataDir)),
    ...reports.flatMap(({ sources }) => sources.map(({ name }) => name)),
  ]);
  const read = async (name: string) => [name, await readQueueHolds(connection, redis.prefix, name)] as const;
  return new Map(await Promise.all([...names].map(read)));
}

async function sourceStatus(
  name: string,
  plan: SourcePlan | null,
  live: SourceReport | null,
  dataDir: string,
): Promise<Omit<SourceStatus, 'held'>> {
  const where = {
    path: live?.path ?? plan?.root ?? null,
    // Of a source that was named on the command line only its runs know it.
    destination: live?.destination || plan?.destination || null,
    manifest: live?.manifest ?? plan?.manifest ?? null,
  };
  if (live !== null) {
    const { discovered, uploaded, failed, skipped, dead, pending } = live;
    const counts = { discovered, uploaded, failed, skipped, dead, pending };
    return {
      name,
      ...counts,
      lostJobs: live.lostJobs ?? 0,
      running: true,
      live,
      ...where,
      batches: live.batches ?? [],
    };
  }
  const ledger = readSourceLedger(dataDir, name);
  const { uploaded, failed, skipped } = ledger?.counts().latest ?? { uploaded: 0, failed: 0, skipped: 0 };
  const dead = ledger?.deadLetters.count() ?? 0;
  const lostJobs = ledger === null ? 0 : openLostCount(ledger).jobs();
  const batches = ledger === null ? [] : openBatchStates(name, ledger);
  await ledger?.close();
  // What is known of without looking at Redis or the folder: members of batches that were cut short.
  const pending = batches.reduce((sum, { members, done }) => sum + members - done, 0);
  const discovered = uploaded + failed + skipped + pending;
  const counts = { discovered, uploaded, failed, skipped, dead, pending };
  return { name, ...counts, lostJobs, running: false, live: null, ...where, batches };
}

/** Sources that have ever been worked on with this data folder, ad-hoc ones included. */
async function recordedSources(dataDir: string): Promise<string[]> {
  const names = await readdir(join(dataDir, 'sources')).catch(() => []);
  return names.filter((name) => !name.startsWith('.'));
}
