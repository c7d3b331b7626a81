import { Redis } from 'ioredis';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import { redisOptions } from './redis-connection.ts';
import { kindOfTrouble, redisFailure } from './redis-failure.ts';
import { type HostPort, hostPortText, parseRedisTarget, type RedisTarget } from './redis-target.ts';

/**
 * Asks the Sentinels of a target, one after the other, until one answers: is the primary known to it? ioredis itself
 * says of all that can be wrong with them only that none was reachable.
 * @throws SlipwayError `redis_unreachable` when none answers, `redis_password_…`, `redis_not_sentinel`,
 *   `redis_primary_unknown`
 */
export async function checkSentinels(target: RedisTarget, prefix: string): Promise<void> {
  const address = parseRedisTarget(target);
  if (address.kind !== 'sentinels') return;
  let failure: SlipwayError | null = null;
  for (const host of address.hosts) {
    try {
      const names = await primariesOf(target, host);
      if (names.includes(address.name)) return;
      const known = names.length === 0 ? 'one that it watches (it watches none)' : names.join(' or ');
      throw new SlipwayError('redis_primary_unknown', {
        ...{ where: hostPortText(host), name: address.name, names: known },
      });
    } catch (error) {
      const found = sentinelFailure(error, target, host, prefix);
      // One of them may be down; what another says about the configuration tells more.
      if (failure === null || failure.code === 'redis_unreachable') failure = found;
    }
  }
  if (failure !== null) throw failure;
}

/** Names of the primaries that a Sentinel watches. */
export async function primariesOf(target: RedisTarget, { host, port }: HostPort): Promise<string[]> {
  const { tls, sentinelTLS } = redisOptions(target, 'probe');
  const password = 'socketPath' in target ? null : (target.sentinelPassword ?? null);
  const spoken = sentinelTLS ?? tls;
  const sentinel = new Redis({
    ...{ host, port, lazyConnect: true, connectTimeout: 3_000, commandTimeout: 3_000, retryStrategy: null },
    ...{ replyMapping: 'legacy', enableReadyCheck: false },
    ...(password === null ? {} : { password }),
    ...(spoken === undefined ? {} : { tls: spoken }),
  });
  let reason: unknown = null;
  sentinel.on('error', (error: unknown) => {
    reason = error;
  });
  try {
    await sentinel.connect();
    const masters = (await sentinel.call('SENTINEL', 'MASTERS')) as string[][];
    return masters.map((fields) => fields[fields.indexOf('name') + 1] ?? '');
  } catch (error) {
    throw reason ?? error;
  } finally {
    sentinel.disconnect();
  }
}

function sentinelFailure(error: unknown, target: RedisTarget, host: HostPort, prefix: string): SlipwayError {
  if (error instanceof SlipwayError) return error;
  const where = hostPortText(host);
  const reason = reasonOf(error);
  const told = { where, reason, what: 'the Sentinel', key: 'sentinelPassword' };
  if (/unknown command/i.test(reason)) return new SlipwayError('redis_not_sentinel', { where, reason });
  const kind = kindOfTrouble(reason);
  if (kind === 'password-missing') return new SlipwayError('redis_password_missing', told);
  if (kind === 'password-wrong') return new SlipwayError('redis_password_wrong', told);
  return redisFailure(error, { target, where, prefix });
}
