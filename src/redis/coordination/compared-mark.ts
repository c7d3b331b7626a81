import type { Redis } from 'ioredis';
import { sourceKey } from '../queue-key.ts';

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
  await connection.set(markKey(prefix, source), runId);
}

/** Whether the Redis that answers now is the one that was compared. */
export async function isCompared(connection: Redis, prefix: string, source: string): Promise<boolean> {
  const [runId, marked] = await Promise.all([
    redisRunId(connection),
    connection.get(markKey(prefix, source)),
  ]);
  return marked === runId;
}

/** Random, new at every start of a server; a service that keeps it to itself is taken for one that never restarts. */
export async function redisRunId(connection: Redis): Promise<string> {
  const info = await connection.info('server').catch((error: unknown) => {
    if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return '';
    throw error;
  });
  return /^run_id:(\S+)/m.exec(info)?.[1] ?? 'unknown';
}

function markKey(prefix: string, source: string): string {
  return sourceKey(prefix, source, 'compared');
}
