import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolvedConfig } from '../../config/resolved-config.ts';
import { presetNames } from '../../destinations/definition/presets.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { type PauseList, type PauseTarget, withoutPause, withPause } from '../../domain/pause-list.ts';
import { openDataDir } from '../../ledger/store/data-dir.ts';
import { promoteDelayed } from '../../queue/promote-delayed.ts';
import { liftQueueHolds, type QueueHold } from '../../queue/queue-holds.ts';
import { clearSuspension } from '../../redis/coordination/destination-record.ts';
import { changePauses, readPauses } from '../../redis/coordination/pauses.ts';
import { findRedis, type RedisConnection } from '../../redis/redis-access.ts';
import { isRedisFailure } from '../../redis/redis-failure.ts';
import { knownSources } from '../../runtime/plans/known-sources.ts';
import { titleOf } from '../../runtime/plans/source-plan.ts';
import { configuredPlans } from '../../runtime/plans/source-plans.ts';
import { readReports } from '../../runtime/reports/process-reports.ts';

/** What came of `pause` or `resume`. */
export interface PauseAnswer {
  /** Everything that is paused now. */
  readonly list: PauseList;
  readonly changed: boolean;
  /** What was set on queues past Slipway (bull-board, BullMQ) and holds no longer. */
  readonly lifted: readonly LiftedHold[];
  /** Why Redis was not told; null: it was, or none runs. Processes on this data folder read the list there as well. */
  readonly redisTrouble: string | null;
}

export interface LiftedHold extends QueueHold {
  readonly source: string;
}

interface PauseFacts {
  readonly config: ResolvedConfig;
  /** What the command line names; nothing: everything. */
  readonly named: {
    readonly destination?: string | undefined;
    readonly source?: string | undefined;
    readonly batch?: string | undefined;
  };
  readonly log: Log;
}

/**
 * Pauses a destination, a source, a batch, or everything. Durable when it resolves; a process at work takes it up within a
 * second or so, uploads under way finish.
 * @throws SlipwayError `usage` naming the choices, `data_dir…`
 */
export async function pauseWork(options: PauseFacts, nowMs: number): Promise<PauseAnswer> {
  const since = new Date(nowMs).toISOString();
  return await change(options, false, (list, target) => withPause(list, target, since));
}

/**
 * The opposite; a destination that is stopped, down or left alone for a `Retry-After` is tried again at once.
 * @throws SlipwayError `usage` naming the choices, `data_dir…`
 */
export async function resumeWork(facts: PauseFacts): Promise<PauseAnswer> {
  return await change(facts, true, withoutPause);
}

async function change(
  facts: PauseFacts,
  resuming: boolean,
  apply: (list: PauseList, target: PauseTarget) => PauseList,
): Promise<PauseAnswer> {
  const { config, named, log } = facts;
  const { dataDir } = config;
  await openDataDir(dataDir);
  const { connection, redisTrouble } = await reachRedis(facts);
  try {
    const redis = connection === null ? null : { connection, prefix: config.redis.prefix };
    const before = await readPauses(dataDir, redis);
    const choices = await choicesOf(config, redis, before);
    const target = targetOf(byIdentity(named, config), choices);
    const list = await changePauses(dataDir, redis, (latest) => apply(latest, target));
    const lifted = resuming && redis !== null ? await liftHolds(target, config, redis) : [];
    if (resuming && redis !== null) {
      if (target.kind === 'everything') await lift(choices.destination, config, redis);
      if (target.kind === 'destination') await lift([target.name], config, redis);
    }
    const changed = list.revision !== before.revision || lifted.length > 0;
    return { list, changed, lifted, redisTrouble };
  } finally {
    connection?.disconnect();
    log.debug({}, 'pause list written');
  }
}

/** Sends there at once, also what was asked to wait for long: a 503 with `Retry-After` delays its one file alone. */
async function lift(
  destinations: readonly string[],
  config: ResolvedConfig,
  { connection, prefix }: { readonly connection: RedisConnection; readonly prefix: string },
): Promise<void> {
  for (const name of destinations) await clearSuspension(connection, prefix, name);
  for (const { name, plan } of await knownSources(config)) {
    // Where a folder named on the command line goes, only who ran it knew.
    if (plan.destination === '' || destinations.includes(plan.destination))
      await promoteDelayed(connection, prefix, name);
  }
}

/** Of the queues of the sources that are meant: a batch shares one with others. */
async function liftHolds(
  { kind, name }: PauseTarget,
  config: ResolvedConfig,
  { connection, prefix }: { readonly connection: RedisConnection; readonly prefix: string },
): Promise<LiftedHold[]> {
  const lifted: LiftedHold[] = [];
  for (const source of await knownSources(config)) {
    const isMeant =
      kind === 'everything' ||
      (kind === 'source' && source.name === name) ||
      (kind === 'destination' && source.plan.destination === name);
    if (!isMeant) continue;
    const holds = await liftQueueHolds(connection, prefix, source.name);
    lifted.push(...holds.map((hold) => ({ ...hold, source: source.name })));
  }
  return lifted;
}

async function reachRedis({ config, log }: PauseFacts): Promise<{
  connection: RedisConnection | null;
  redisTrouble: string | null;
}> {
  try {
    const connection = await findRedis({ dataDir: config.dataDir, redis: config.redis, log });
    return { connection, redisTrouble: null };
  } catch (error) {
    if (!isRedisFailure(error)) throw error;
    return { connection: null, redisTrouble: reasonOf(error) };
  }
}

type Choices = Readonly<Record<'destination' | 'source' | 'batch', readonly string[]>>;

/** What can be named: configured, at work now, worked on before, or paused already. */
async function choicesOf(
  config: ResolvedConfig,
  redis: { readonly connection: RedisConnection; readonly prefix: string } | null,
  { paused }: PauseList,
): Promise<Choices> {
  const reports = redis === null ? [] : await readReports(redis.connection, redis.prefix);
  const pausedOf = (kind: string): string[] =>
    paused.filter((pause) => pause.kind === kind).map(({ name }) => name);
  const sources = [
    ...(await knownSources(config)).map(({ name }) => name),
    ...reports.flatMap(({ serves }) => serves),
  ];
  const destinations = [
    ...Object.keys(config.definitions),
    ...reports.flatMap((report) => report.destinations.map(({ name }) => name)),
  ];
  // `<id>.manifest.json` and whatever else belongs to a batch.
  const files = await readdir(join(config.dataDir, 'batches')).catch(() => []);
  const batches = files.map((name) => name.split('.', 1)[0] ?? '').filter((name) => name !== '');
  return {
    destination: [...new Set([...destinations, ...pausedOf('destination')])],
    source: [...new Set([...sources, ...pausedOf('source')])],
    batch: [...new Set([...batches, ...pausedOf('batch')])],
  };
}

/** A source by the name under which it is paused. */
function byIdentity(named: PauseFacts['named'], config: ResolvedConfig): PauseFacts['named'] {
  const meant = configuredPlans(config).find((plan) => titleOf(plan) === named.source);
  return meant === undefined ? named : { ...named, source: meant.name };
}

const MOST_CHOICES = 20;

function targetOf(named: PauseFacts['named'], choices: Choices): PauseTarget {
  const given = (['destination', 'source', 'batch'] as const).filter((kind) => named[kind] !== undefined);
  const [kind, second] = given;
  if (kind === undefined) return { kind: 'everything', name: '' };
  if (second !== undefined) {
    throw new SlipwayError('usage', {
      problem: 'name one thing at a time: a destination, --source NAME or --batch ID',
    });
  }
  const name = named[kind] ?? '';
  // A preset can be a destination of a folder named on the command line, which no config file knows.
  if (choices[kind].includes(name) || (kind === 'destination' && presetNames().includes(name)))
    return { kind, name };
  const some = choices[kind].slice(0, MOST_CHOICES).join(', ');
  const known = some === '' ? `no ${kind} is known in this data folder` : `it is one of ${some}`;
  throw new SlipwayError('usage', { problem: `there is no ${kind} ${name}: ${known}` });
}
