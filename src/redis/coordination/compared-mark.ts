import type { Redis } from 'ioredis';
import { sourceKey } from '../queue-key.ts';
import { asCluster } from '../redis-connection.ts';

/**
 * Which run of Redis the owner of a source has compared with its ledger. A Redis that was restarted, restored or replaced
 * by its replica may hold what it held long ago, jobs that are recorded among it: it has another run id, and the mark in
 * it, if any, is of another run. Workers take jobs where the two are the same.
 */
export async function markCompared(
  connection: Redis,
  prefix: string,
  source: string,
  runId: string,
): Promise<void> {
  await connection.set(comparedKey(prefix, source), runId);
}

/** The run of the Redis that answers now, where that is the one that was compared; else null. */
export async function comparedRun(connection: Redis, prefix: string, source: string): Promise<string | null> {
  const [runId, marked] = await Promise.all([
    redisRunId(connection, prefix, source),
    connection.get(comparedKey(prefix, source)),
  ]);
  return marked === runId ? runId : null;
}

/**
 * Of the server that holds the source's queue: random, new at every start; a service that keeps it to itself is taken for
 * one that never restarts.
 */
export async function redisRunId(connection: Redis, prefix: string, source: string): Promise<string> {
  // In a Cluster only a command with a key comes to the right node.
  const asked =
    asCluster(connection) === null
      ? connection.info('server')
      : connection.eval(SERVER_INFO_LUA, 1, comparedKey(prefix, source));
  const info = await asked.catch((error: unknown) => {
    if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return '';
    throw error;
  });
  return /^run_id:(\S+)/m.exec(String(info))?.[1] ?? 'unknown';
}

const SERVER_INFO_LUA = "return redis.call('INFO', 'server')";

/** Where the mark is. */
export function comparedKey(prefix: string, source: string): string {
  return sourceKey(prefix, source, 'compared');
}
