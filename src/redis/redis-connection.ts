import { isIP } from 'node:net';
import { type RedisOptions as IoredisOptions, Redis } from 'ioredis';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { parseRedisTarget, type RedisTarget, redisOrigin } from './redis-target.ts';

/**
 * - `producer`, `worker`: of a daemon; commands wait for Redis to come back
 * - `probe`: of a command that asks once; fails within seconds
 */
export type RedisRole = 'producer' | 'worker' | 'probe';

/** Replies in the shapes of RESP2, which BullMQ and our scripts read, also over RESP3. */
export type RedisConnectionOptions = IoredisOptions & { readonly replyMapping: 'legacy' };

const MAX_RETRY_DELAY_MS = 2_000;
const RETRY_STEP_MS = 100;
const CONNECT_TIMEOUT_MS = 10_000;
const PROBE_CONNECT_TIMEOUT_MS = 3_000;
const PROBE_COMMAND_TIMEOUT_MS = 5_000;
const PROBE_RETRIES = 1;

/**
 * Milliseconds before the nth reconnect: 100, 200 … 2,000, and up to a tenth on top, so that many processes do not
 * return in one instant. Left to itself BullMQ backs off to 20 s, and was seen idle for 18 s beside a healthy Redis.
 * @param random 0 ≤ value < 1
 */
export function reconnectDelayMs(attempt: number, random: number): number {
  const delayMs = Math.min(attempt * RETRY_STEP_MS, MAX_RETRY_DELAY_MS);
  return Math.round(delayMs * (1 + random / 10));
}

/**
 * Options for ioredis, also for a connection that BullMQ makes itself.
 * Throws SlipwayError `config_invalid`.
 */
export function redisOptions(
  target: RedisTarget,
  role: RedisRole,
  random: () => number = Math.random,
): RedisConnectionOptions {
  const isProbe = role === 'probe';
  return {
    ...addressOptions(target),
    replyMapping: 'legacy',
    connectionName: `slipway-${role}`,
    connectTimeout: isProbe ? PROBE_CONNECT_TIMEOUT_MS : CONNECT_TIMEOUT_MS,
    // null is what BullMQ demands of a worker; a daemon's producer waits as well, since its files are safe on disk.
    maxRetriesPerRequest: isProbe ? PROBE_RETRIES : null,
    retryStrategy: (attempt) =>
      isProbe && attempt > PROBE_RETRIES ? null : reconnectDelayMs(attempt, random()),
    // A replica after a failover executed nothing: find the new primary and send the command again.
    // A probe is to say what it met.
    reconnectOnError: (error) => (!isProbe && error.message.startsWith('READONLY') ? 2 : false),
    // Not for the others: ioredis would apply it to BullMQ's blocking reads too.
    ...(isProbe ? { commandTimeout: PROBE_COMMAND_TIMEOUT_MS } : {}),
  };
}

/** Opens a connection; it connects by itself, and again whenever it is lost. The caller closes it. */
export function openRedis(target: RedisTarget, role: RedisRole, log: Log): Redis {
  const connection = new Redis(redisOptions(target, role));
  const where = redisOrigin(target);
  let isDown = false;
  // One line per outage, not one per reconnect. Without a listener ioredis prints every error itself.
  connection.on('error', (error: unknown) => {
    if (!isDown) log.warn({ where, role, reason: reasonOf(error) }, 'redis connection lost, reconnecting');
    isDown = true;
  });
  connection.on('ready', () => {
    if (isDown) log.info({ where, role }, 'redis connection is back');
    isDown = false;
  });
  return connection;
}

function addressOptions(target: RedisTarget): IoredisOptions {
  const address = parseRedisTarget(target);
  if (address.kind === 'socket') return { path: address.path, db: address.db };
  const { host, port, db, username, password } = address;
  return {
    host,
    port,
    db,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    // SNI carries names only; with an IP address Node would refuse it.
    ...(address.tls ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {}),
  };
}
