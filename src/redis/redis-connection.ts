import { isIP } from 'node:net';
import { Cluster, type ClusterOptions, type RedisOptions as IoredisOptions, Redis } from 'ioredis';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { shownCertificate, trustOf } from '../platform/files/pem-file.ts';
import type { RedisTls } from './redis-place.ts';
import { parseRedisTarget, type RedisAddress, type RedisTarget, redisOrigin } from './redis-target.ts';

/**
 * - `producer`, `worker`: of a daemon; commands wait for Redis to come back
 * - `probe`: of a command that asks once; fails within seconds
 */
export type RedisRole = 'producer' | 'worker' | 'probe';

type ClusterConnectionOptions = Omit<ClusterOptions, 'redisOptions'> & {
  readonly redisOptions: Omit<RedisConnectionOptions, 'retryStrategy' | 'reconnectOnError'>;
};

/** Replies in the shapes of RESP2, which BullMQ and our scripts read, also over RESP3. */
export type RedisConnectionOptions = IoredisOptions & { readonly replyMapping: 'legacy' };

const MAX_RETRY_DELAY_MS = 2_000;
const RETRY_STEP_MS = 100;
const CONNECT_TIMEOUT_MS = 10_000;
const PROBE_CONNECT_TIMEOUT_MS = 3_000;
const PROBE_COMMAND_TIMEOUT_MS = 5_000;
const PROBE_RETRIES = 1;
/** Of a command in a Cluster whose nodes are changing places. A daemon's waits for as long as it takes, as without a Cluster. */
const PROBE_REDIRECTIONS = 16;
const DAEMON_REDIRECTIONS = 1_000_000;
const CLUSTER_RETRY_MS = 100;
/** A Sentinel that hangs is given up for the next one. */
const SENTINEL_COMMAND_MS = 2_000;

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
 * Options for ioredis to reach one server, be it by way of Sentinels.
 * Throws SlipwayError `config_invalid`, `config_unreadable`.
 */
export function redisOptions(
  target: RedisTarget,
  role: RedisRole,
  random: () => number = Math.random,
): RedisConnectionOptions {
  const isProbe = role === 'probe';
  return {
    ...addressOptions(target, role),
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

/** Options for ioredis to reach a Cluster. Throws as above. */
export function clusterOptions(
  target: RedisTarget,
  role: RedisRole,
  random: () => number = Math.random,
): ClusterConnectionOptions {
  const isProbe = role === 'probe';
  // What a lost node means is the Cluster's to say.
  const {
    retryStrategy: _,
    reconnectOnError: __,
    ...redisOptionsOfNodes
  } = redisOptions(target, role, random);
  return {
    redisOptions: redisOptionsOfNodes,
    // Addresses are taken as written: the certificate of a node names its host, not its number.
    dnsLookup: (address, callback) => callback(null, address),
    clusterRetryStrategy: (attempt) =>
      isProbe && attempt > PROBE_RETRIES ? null : reconnectDelayMs(attempt, random()),
    maxRedirections: isProbe ? PROBE_REDIRECTIONS : DAEMON_REDIRECTIONS,
    retryDelayOnFailover: CLUSTER_RETRY_MS,
    retryDelayOnClusterDown: CLUSTER_RETRY_MS,
    retryDelayOnTryAgain: CLUSTER_RETRY_MS,
    slotsRefreshTimeout: isProbe ? PROBE_CONNECT_TIMEOUT_MS : CONNECT_TIMEOUT_MS,
  };
}

/**
 * An ioredis client. A Cluster takes the commands of a Redis, and whoever needs more of it asks `asCluster`.
 * @param lazyConnect it connects when it is asked to, not by itself
 * Throws SlipwayError `config_invalid`, `config_unreadable`.
 */
export function redisClient(target: RedisTarget, role: RedisRole, lazyConnect: boolean): Redis {
  const address = parseRedisTarget(target);
  if (address.kind !== 'cluster') return new Redis({ ...redisOptions(target, role), lazyConnect });
  const nodes = address.hosts.map(({ host, port }) => ({ host, port }));
  const options = clusterOptions(target, role);
  return new Cluster(nodes, { ...options, lazyConnect }) as unknown as Redis;
}

/** null: one server. */
export function asCluster(connection: Redis): Cluster | null {
  return connection instanceof Cluster ? connection : null;
}

/** A connection of its own, for what can do nothing else meanwhile: to listen, to wait for the next element of a list. */
export function duplicateOf(
  connection: Redis,
  change: Pick<IoredisOptions, 'commandTimeout' | 'maxRetriesPerRequest'> = {},
): Redis {
  const cluster = asCluster(connection);
  if (cluster === null) return connection.duplicate(change);
  return cluster.duplicate([], { redisOptions: change }) as unknown as Redis;
}

/** Opens a connection; it connects by itself, and again whenever it is lost. The caller closes it. */
export function openRedis(target: RedisTarget, role: RedisRole, log: Log): Redis {
  const connection = redisClient(target, role, false);
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

function addressOptions(target: RedisTarget, role: RedisRole): IoredisOptions {
  const address = parseRedisTarget(target);
  const { username = null, password = null } = address;
  const credentials = {
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
  };
  switch (address.kind) {
    case 'socket':
      return { path: address.path, db: address.db, ...credentials };
    case 'tcp':
      return {
        ...{ host: address.host, port: address.port, db: address.db },
        ...credentials,
        ...(address.tls ? { tls: tlsOptions(target, address.host) } : {}),
      };
    case 'sentinels':
      return { ...sentinelOptions(target, address, role), ...credentials };
    case 'cluster':
      return { ...credentials, ...(address.tls ? { tls: tlsOptions(target, null) } : {}) };
  }
}

function sentinelOptions(
  target: RedisTarget,
  address: Extract<RedisAddress, { kind: 'sentinels' }>,
  role: RedisRole,
): IoredisOptions {
  const sentinelPassword = 'socketPath' in target ? null : (target.sentinelPassword ?? null);
  const isProbe = role === 'probe';
  return {
    sentinels: address.hosts.map(({ host, port }) => ({ host, port })),
    name: address.name,
    db: address.db,
    role: 'master',
    sentinelCommandTimeout: SENTINEL_COMMAND_MS,
    sentinelRetryStrategy: (attempt) => (isProbe ? null : reconnectDelayMs(attempt, Math.random())),
    // A primary that hangs is left as soon as the Sentinels have named another one.
    failoverDetector: !isProbe,
    ...(sentinelPassword === null ? {} : { sentinelPassword }),
    ...(address.tls
      ? {
          tls: tlsOptions(target, null),
          sentinelTLS: tlsOptions(target, null),
          enableTLSForSentinelMode: true,
        }
      : {}),
  };
}

/** @param host null: the one that is connected to */
function tlsOptions(target: RedisTarget, host: string | null): NonNullable<IoredisOptions['tls']> {
  const given: Partial<RedisTls> = 'socketPath' in target ? {} : (target.tls ?? {});
  const { caFile = null, certFile = null, keyFile = null, servername = null } = given;
  // SNI carries names only; with an IP address Node would refuse it.
  const name = servername ?? (host === null || isIP(host) !== 0 ? null : host);
  return {
    ...(name === null ? {} : { servername: name }),
    ...trustOf(caFile),
    ...shownCertificate(certFile === null || keyFile === null ? null : { certFile, keyFile }),
  };
}
