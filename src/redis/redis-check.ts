import type { Redis } from 'ioredis';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import { checkCluster } from './cluster-check.ts';
import { asCluster, redisClient } from './redis-connection.ts';
import { keyOf, kindOfTrouble, redisFailure } from './redis-failure.ts';
import { hostPortText, parseRedisTarget, type RedisTarget, redisOrigin } from './redis-target.ts';
import { isSupportedRedis, type RedisVersion } from './redis-version.ts';
import { tryRights } from './rights-trial.ts';
import { checkSentinels, primariesOf } from './sentinel-check.ts';
import { parseInfo, type ServerInfo, warningsOfServer } from './server-info.ts';

export interface RedisCheck {
  readonly version: RedisVersion;
  /** What would lose jobs one day, one sentence each, with the fix. */
  readonly warnings: readonly string[];
}

export interface CheckOptions {
  /** Keys begin so: what a run does with them is tried. Left out: nothing is written. */
  readonly tryPrefix?: string;
  /** A server that accepts connections and says nothing would hold a start for ever. */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 10_000;

/**
 * Looks at a Redis before anything is put into it (contract §5), over connections of its own: can it be reached, is it
 * the right one, may we, and does it keep what it is given?
 * Throws SlipwayError `redis_…`, `config_invalid`, `config_unreadable`.
 */
export async function checkRedis(target: RedisTarget, options: CheckOptions = {}): Promise<RedisCheck> {
  const { tryPrefix, deadlineMs = DEADLINE_MS } = options;
  const prefix = tryPrefix ?? 'slipway';
  const connection = redisClient(target, 'probe', true);
  // What `connect` rejects with is only that the connection closed; why is told to listeners.
  let reason: unknown = null;
  const remember = (error: unknown): void => {
    reason = error;
  };
  connection.on('error', remember);
  const deadline = withDeadline(deadlineMs);
  const look = async (): Promise<RedisCheck> => {
    await checkSentinels(target, prefix);
    await checkCluster(target, prefix);
    await connection.connect();
    const found = await lookAtServers(connection, target);
    // ioredis goes on with database 0 where there is none of the number asked for.
    if (reason !== null && kindOfTrouble(reasonOf(reason)) === 'database') throw reason;
    if (tryPrefix !== undefined) await tryRights(connection, tryPrefix);
    return found;
  };
  try {
    return await Promise.race([deadline.passed, look()]);
  } catch (error) {
    const says = error instanceof SlipwayError || (error instanceof Error && error.name === 'ReplyError');
    throw redisFailure(says ? error : (reason ?? error), { target, prefix });
  } finally {
    deadline.clear();
    connection.disconnect();
  }
}

/** The one server, or every primary of a Cluster. */
async function lookAtServers(connection: Redis, target: RedisTarget): Promise<RedisCheck> {
  const cluster = asCluster(connection);
  if (cluster === null) return await lookAtServer(connection, target, redisOrigin(target));
  const checks = await Promise.all(
    cluster.nodes('master').map(async (node) => {
      const { host = '', port = 0 } = node.options;
      return await lookAtServer(node, target, hostPortText({ host, port }));
    }),
  );
  return {
    version: checks[0]?.version ?? 'unknown',
    warnings: checks.flatMap(({ warnings }) => warnings),
  };
}

async function lookAtServer(server: Redis, target: RedisTarget, where: string): Promise<RedisCheck> {
  const info = parseInfo(await server.info());
  await refuseOtherKinds(info, target, where);
  const version = info.get('redis_version') ?? 'unknown';
  if (!isSupportedRedis(version)) throw new SlipwayError('redis_too_old', { where, version });
  return { version, warnings: warningsOfServer(info, await snapshotSetting(server), where) };
}

/** What answers like Redis and is no place for a queue, at least not as it is named. */
async function refuseOtherKinds(info: ServerInfo, target: RedisTarget, where: string): Promise<void> {
  const address = parseRedisTarget(target);
  const key = keyOf(target);
  const own = address.kind === 'tcp' ? hostPortText(address) : 'HOST:PORT';
  const mode = info.get('redis_mode');
  if (mode === 'sentinel') {
    const known = address.kind === 'tcp' ? await primariesOf(target, address).catch(() => []) : [];
    const names = known.length === 0 ? 'NAME' : known.join(' or ');
    throw new SlipwayError('redis_is_sentinel', { where, address: own, names, key });
  }
  if (mode === 'cluster' && address.kind !== 'cluster')
    throw new SlipwayError('redis_is_cluster', { where, address: own, key });
  if (info.get('role') === 'slave' && address.kind !== 'cluster') {
    const primary = hostPortText({
      host: info.get('master_host') ?? '?',
      port: Number(info.get('master_port') ?? 0),
    });
    throw new SlipwayError('redis_replica', { where, primary, key });
  }
}

function withDeadline(deadlineMs: number): { readonly passed: Promise<never>; readonly clear: () => void } {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
  return { passed: promise, clear: () => clearTimeout(timer) };
}

async function snapshotSetting(connection: Redis): Promise<string | null> {
  try {
    const answer: unknown = await connection.config('GET', 'save');
    const value: unknown = Array.isArray(answer) ? answer[1] : null;
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}
