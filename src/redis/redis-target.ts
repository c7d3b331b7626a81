import { SlipwayError } from '../domain/errors.ts';
import type { RedisServers } from './redis-place.ts';

/** The Redis to talk to: the user's (`redis` in the config) or the private one. */
export type RedisTarget = RedisServers | { readonly socketPath: string };

export interface HostPort {
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

interface Credentials {
  readonly username: string | null;
  readonly password: string | null;
}

/** A target in parts. */
export type RedisAddress =
  | ({ readonly kind: 'socket'; readonly path: string; readonly db: number } & Partial<Credentials>)
  | ({ readonly kind: 'tcp'; readonly tls: boolean; readonly db: number } & HostPort & Credentials)
  | ({
      readonly kind: 'sentinels';
      readonly tls: boolean;
      readonly hosts: readonly HostPort[];
      /** Of the primary. */
      readonly name: string;
      readonly db: number;
    } & Credentials)
  | ({ readonly kind: 'cluster'; readonly tls: boolean; readonly hosts: readonly HostPort[] } & Credentials);

const DEFAULT_PORT = 6379;

/**
 * Takes a target apart; a URL is `redis://[user[:password]@]host[:port][/db]`, `rediss://` for TLS,
 * `unix:///path[?db=n]`, `/path`.
 * Throws SlipwayError `config_invalid`, which never quotes the URL: it may hold a password.
 */
export function parseRedisTarget(target: RedisTarget): RedisAddress {
  if ('socketPath' in target) return { kind: 'socket', path: target.socketPath, db: 0 };
  const { sentinels = null, cluster = null, name = null, username = null, password = null } = target;
  const tls = (target.tls ?? null) !== null;
  const db = target.db ?? 0;
  if (cluster !== null) return { kind: 'cluster', tls, hosts: cluster.map(hostPortOf), username, password };
  if (sentinels !== null) {
    const hosts = sentinels.map(hostPortOf);
    return { kind: 'sentinels', tls, hosts, name: name ?? '', db, username, password };
  }
  const address = parseRedisUrl(target.url ?? '');
  const own =
    address.kind === 'socket' && username === null && password === null ? {} : { username, password };
  return {
    ...address,
    ...(address.kind === 'socket'
      ? own
      : { username: address.username ?? username, password: address.password ?? password }),
    db: address.db === 0 ? db : address.db,
  };
}

/** What people and logs may see of a target: no user, no password, no query (G5). */
export function redisOrigin(target: RedisTarget): string {
  const address = parseRedisTarget(target);
  switch (address.kind) {
    case 'socket':
      return `unix://${address.path}`;
    case 'tcp':
      return `${address.tls ? 'rediss' : 'redis'}://${hostPortText(address)}`;
    case 'sentinels':
      return `sentinel://${address.hosts.map(hostPortText).join(',')}/${address.name}`;
    case 'cluster':
      return `cluster://${address.hosts.map(hostPortText).join(',')}`;
  }
}

export function hostPortText({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

type UrlAddress = Extract<RedisAddress, { kind: 'socket' | 'tcp' }>;

function parseRedisUrl(text: string): UrlAddress {
  if (text.startsWith('/')) return { kind: 'socket', path: text, db: 0 };
  const url = parseUrl(text);
  if (url.protocol === 'unix:') {
    return { kind: 'socket', path: decoded(url.pathname), db: dbOf(url.searchParams.get('db') ?? '') };
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw invalid('must start with redis://, rediss://, unix:/// or /');
  }
  return {
    kind: 'tcp',
    tls: url.protocol === 'rediss:',
    // An IPv6 host stands in brackets in a URL and without them in a connection.
    host: url.hostname === '' ? 'localhost' : withoutBrackets(url.hostname),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    db: dbOf(url.pathname.replace(/^\//, '')),
    username: url.username === '' ? null : decoded(url.username),
    password: url.password === '' ? null : decoded(url.password),
  };
}

/** As the schema has checked it. */
function hostPortOf(text: string): HostPort {
  const colon = text.lastIndexOf(':');
  return { host: withoutBrackets(text.slice(0, colon)), port: Number(text.slice(colon + 1)) };
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw invalid('is not a URL: write special characters of the password as %XX');
  return url;
}

function dbOf(text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,5}$/.test(text)) throw invalid('must end with a database number such as /0, or with nothing');
  return Number(text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('has a % that is not followed by two hex digits: write it as %25');
  }
}

function invalid(problem: string): SlipwayError {
  return new SlipwayError('config_invalid', { problem: `redis.url ${problem}` });
}
