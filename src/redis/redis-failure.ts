import { reasonOf, SlipwayError } from '../domain/errors.ts';
import { parseRedisTarget, type RedisTarget, redisOrigin } from './redis-target.ts';

/** What a failure is told with. */
interface FailureFacts {
  readonly target: RedisTarget;
  /** Which server, where it is not the whole of the target. */
  readonly where?: string;
  /** Of the keys, for the rights that are named. */
  readonly prefix: string;
}

/**
 * What a user of Slipway may do under its prefix; a Cluster is asked for its slots besides. Tested with a run
 * (docs/operations.md).
 */
export function neededRules(prefix: string): string {
  return `~${prefix}:* &${prefix}:* +@read +@write +@pubsub +@scripting +@transaction +@connection -@dangerous +info +time +cluster|slots +cluster|info`;
}

/**
 * What an error of Redis, or of the way to it, means to whoever configured it. Already a SlipwayError: that. It is not
 * kept as the cause: ioredis puts the command into it, and the password is in that of a login (G5).
 */
export function redisFailure(error: unknown, facts: FailureFacts): SlipwayError {
  if (error instanceof SlipwayError) return error;
  const { target, prefix } = facts;
  const where = facts.where ?? redisOrigin(target);
  const reason = shortReason(error, target);
  const key = keyOf(target);
  const told = { where, reason, key };
  const tls = tlsTrouble(error, target);
  if (tls !== null) return new SlipwayError('redis_tls', { ...told, fix: tls });
  switch (kindOfTrouble(reason)) {
    case 'password-missing':
      return new SlipwayError('redis_password_missing', { ...told, what: 'Redis', key: 'password' });
    case 'password-wrong':
      return new SlipwayError('redis_password_wrong', { ...told, what: 'Redis', key: passwordKey(target) });
    case 'forbidden': {
      const user = parseRedisTarget(target).username ?? 'default';
      return new SlipwayError('redis_forbidden', { ...told, user, rules: neededRules(prefix) });
    }
    case 'replica':
      return new SlipwayError('redis_replica', { ...told, primary: 'another server' });
    case 'cluster':
      return new SlipwayError('redis_is_cluster', { ...told, address: 'HOST:PORT' });
    case 'no-cluster':
      return new SlipwayError('redis_not_cluster', told);
    case 'cluster-down':
      return new SlipwayError('redis_cluster_down', told);
    case 'database':
      return new SlipwayError('redis_database', { ...told, key: databaseKey(target) });
    case 'protected':
      return new SlipwayError('redis_protected', told);
    case 'foreign':
      return new SlipwayError('redis_foreign', told);
    case 'refuses':
      return new SlipwayError('redis_refuses', told);
    case 'away':
      return new SlipwayError('redis_unreachable', told);
  }
}

/** Without what Redis tells programmers, and with what a broken connection often means. */
function shortReason(error: unknown, target: RedisTarget): string {
  const reason = reasonOf(error).replace(/^(NOAUTH|WRONGPASS)\b.*/s, '$1');
  const address = parseRedisTarget(target);
  if (address.kind === 'socket') return reason;
  const isCut = /ECONNRESET|EPIPE|Connection is closed/.test(reason);
  if (address.tls && isCut)
    return `${reason}, as from a server that asks for a certificate: redis.tls.certFile and keyFile`;
  if (address.tls && /ETIMEDOUT/.test(reason))
    return `${reason} in the TLS handshake, as with a server that does not speak TLS there`;
  const way = address.kind === 'tcp' ? 'rediss://' : 'redis.tls: {}';
  return isCut ? `${reason}, as from a server that wants TLS: ${way}` : reason;
}

export type RedisTrouble =
  | 'password-missing'
  | 'password-wrong'
  | 'forbidden'
  | 'replica'
  | 'cluster'
  | 'no-cluster'
  | 'cluster-down'
  | 'database'
  | 'protected'
  | 'foreign'
  | 'refuses'
  | 'away';

/** By what Redis answers. The first that fits. */
const PATTERNS: readonly (readonly [RegExp, RedisTrouble])[] = [
  [/\bNOAUTH\b|Authentication required/, 'password-missing'],
  [/\bWRONGPASS\b|invalid username-password|invalid password/, 'password-wrong'],
  [/\bNOPERM\b|ACL failure|user executing the script can't/, 'forbidden'],
  [/\bREADONLY\b|read only replica|read only slave/, 'replica'],
  [/cluster support disabled/, 'no-cluster'],
  [/SELECT is not allowed in cluster mode|DB index|invalid DB|unknown command .?select/i, 'database'],
  [/\bCLUSTERDOWN\b|Too many Cluster redirections/, 'cluster-down'],
  [/\b(MOVED|CROSSSLOT) /, 'cluster'],
  [/\bDENIED\b/, 'protected'],
  [/Protocol error/, 'foreign'],
  [/\b(OOM|MISCONF|NOREPLICAS)\b/, 'refuses'],
];

/** What an error of Redis says is wrong; `away` where it says nothing, or only that there is no connection. */
export function kindOfTrouble(reason: string): RedisTrouble {
  return PATTERNS.find(([pattern]) => pattern.test(reason))?.[1] ?? 'away';
}

/** Which key of `redis` names the server. */
export function keyOf(target: RedisTarget): 'url' | 'sentinels' | 'cluster' {
  const { kind } = parseRedisTarget(target);
  return kind === 'sentinels' || kind === 'cluster' ? kind : 'url';
}

function passwordKey(target: RedisTarget): string {
  const given = 'socketPath' in target ? null : (target.password ?? null);
  return given === null ? 'url' : 'username and redis.password';
}

function databaseKey(target: RedisTarget): string {
  return 'socketPath' in target || (target.db ?? null) === null ? keyOf(target) : 'db';
}

const UNTRUSTED =
  /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|CERT_UNTRUSTED|self-signed|unable to verify|unable to get/;

/** What is to be done about a failed TLS handshake; null: it is none. */
function tlsTrouble(error: unknown, target: RedisTarget): string | null {
  const { code = '' } = (typeof error === 'object' && error !== null ? error : {}) as { code?: string };
  const text = `${code} ${reasonOf(error)}`;
  if (UNTRUSTED.test(text))
    return 'name the authority of its certificate in redis.tls.caFile (network.caFile serves too)';
  if (/ALTNAME_INVALID|does not match certificate/.test(text))
    return 'its certificate is for another name: set redis.tls.servername to that name, or reach it by it';
  if (/CERT_HAS_EXPIRED|certificate has expired/.test(text)) return 'renew its certificate';
  if (/certificate required|handshake failure|bad certificate|unknown ca/i.test(text))
    return 'it asks for a certificate that its authority signed: set redis.tls.certFile and redis.tls.keyFile';
  if (/wrong version number|packet length too long|WRONG_VERSION_NUMBER|record layer/i.test(text))
    return keyOf(target) === 'url'
      ? 'it does not speak TLS there: begin redis.url with redis://, or name its TLS port'
      : 'it does not speak TLS there: leave redis.tls out, or name its TLS ports';
  return code === 'EPROTO' || /^ERR_(TLS|SSL)_/.test(code)
    ? 'make both sides agree on versions and certificates'
    : null;
}

/** Whether it says that Redis cannot be used as it is, or as it is configured. */
export function isRedisFailure(error: unknown): error is SlipwayError {
  return error instanceof SlipwayError && error.code.startsWith('redis_');
}
