import { SlipwayError } from '../domain/errors.ts';

/** The Redis to talk to: the user's (`redis.url`) or the private one. */
export type RedisTarget = { readonly url: string } | { readonly socketPath: string };

/** A target in parts. */
export type RedisAddress =
  | { readonly kind: 'socket'; readonly path: string; readonly db: number }
  | {
      readonly kind: 'tcp';
      readonly tls: boolean;
      readonly host: string;
      readonly port: number;
      readonly db: number;
      readonly username: string | null;
      readonly password: string | null;
    };

const DEFAULT_PORT = 6379;

/**
 * Takes a target apart: `redis://[user[:password]@]host[:port][/db]`, `rediss://` for TLS, `unix:///path[?db=n]`, `/path`.
 * Throws SlipwayError `config_invalid`, which never quotes the URL: it may hold a password.
 */
export function parseRedisTarget(target: RedisTarget): RedisAddress {
  if ('socketPath' in target) return { kind: 'socket', path: target.socketPath, db: 0 };
  if (target.url.startsWith('/')) return { kind: 'socket', path: target.url, db: 0 };
  const url = parseUrl(target.url);
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
    host: url.hostname === '' ? 'localhost' : url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    db: dbOf(url.pathname.replace(/^\//, '')),
    username: url.username === '' ? null : decoded(url.username),
    password: url.password === '' ? null : decoded(url.password),
  };
}

/** What people and logs may see of a target: no user, no password, no query (G5). */
export function redisOrigin(target: RedisTarget): string {
  const address = parseRedisTarget(target);
  if (address.kind === 'socket') return `unix://${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${address.tls ? 'rediss' : 'redis'}://${host}:${address.port}`;
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
