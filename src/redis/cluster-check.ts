import { Redis } from 'ioredis';
import { SlipwayError } from '../domain/errors.ts';
import { clusterOptions } from './redis-connection.ts';
import { redisFailure } from './redis-failure.ts';
import { hostPortText, parseRedisTarget, type RedisTarget } from './redis-target.ts';
import { parseInfo } from './server-info.ts';

/**
 * Asks the named nodes of a Cluster, one after the other, until one answers: is it one, and whole? ioredis itself says
 * of all that can be wrong with them only that its list of slots could not be refreshed.
 * @throws SlipwayError `redis_…`
 */
export async function checkCluster(target: RedisTarget, prefix: string): Promise<void> {
  const address = parseRedisTarget(target);
  if (address.kind !== 'cluster') return;
  let failure: SlipwayError | null = null;
  for (const host of address.hosts) {
    const where = hostPortText(host);
    const node = new Redis({
      ...clusterOptions(target, 'probe').redisOptions,
      ...{ ...host, lazyConnect: true, retryStrategy: null },
    });
    let reason: unknown = null;
    node.on('error', (error: unknown) => {
      reason = error;
    });
    try {
      await node.connect();
      return await judge(node, where);
    } catch (error) {
      const found = redisFailure(error instanceof SlipwayError ? error : (reason ?? error), {
        ...{ target, where, prefix },
      });
      // One of them may be down; what another says about the configuration tells more.
      if (failure === null || failure.code === 'redis_unreachable') failure = found;
    } finally {
      node.disconnect();
    }
  }
  if (failure !== null) throw failure;
}

async function judge(node: Redis, where: string): Promise<void> {
  const mode = parseInfo(await node.info()).get('redis_mode');
  if (mode === 'sentinel')
    throw new SlipwayError('redis_is_sentinel', { where, address: where, names: 'NAME', key: 'cluster' });
  if (mode !== 'cluster') throw new SlipwayError('redis_not_cluster', { where, reason: `mode ${mode}` });
  const state = parseInfo(String(await node.cluster('INFO')));
  if (state.get('cluster_state') === 'ok') return;
  const slots = state.get('cluster_slots_ok');
  throw new SlipwayError('redis_cluster_down', {
    ...{ where, reason: `cluster_state:${state.get('cluster_state')}, ${slots} of 16384 slots are served` },
  });
}
