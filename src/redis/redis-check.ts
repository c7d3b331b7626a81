import { Redis } from 'ioredis';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import { formatDuration } from '../platform/units.ts';
import { redisOptions } from './redis-connection.ts';
import { type RedisTarget, redisOrigin } from './redis-target.ts';
import { isSupportedRedis, type RedisVersion } from './redis-version.ts';

export interface RedisCheck {
  readonly version: RedisVersion;
  /** What would lose jobs one day, one sentence each, with the fix. */
  readonly warnings: readonly string[];
}

/** A server that accepts connections and says nothing would hold a start for ever. */
const CHECK_DEADLINE_MS = 10_000;

/**
 * Looks at a Redis before anything is put into it (contract §5), over a connection of its own.
 * Throws SlipwayError `redis_unreachable`, `redis_too_old`, `config_invalid`.
 */
export async function checkRedis(
  target: RedisTarget,
  deadlineMs: number = CHECK_DEADLINE_MS,
): Promise<RedisCheck> {
  const where = redisOrigin(target);
  const { info, snapshots } = await ask(target, where, deadlineMs);
  const version = info.get('redis_version') ?? 'unknown';
  if (!isSupportedRedis(version)) throw new SlipwayError('redis_too_old', { where, version });
  return {
    version,
    warnings: [...evictionWarnings(info, where), ...persistenceWarnings(info, snapshots, where)],
  };
}

/** `snapshots` is the `save` setting; null where the service does not let clients read settings. */
interface Answers {
  readonly info: ReadonlyMap<string, string>;
  readonly snapshots: string | null;
}

async function ask(target: RedisTarget, where: string, deadlineMs: number): Promise<Answers> {
  const connection = new Redis({ ...redisOptions(target, 'probe'), lazyConnect: true });
  // What `connect` rejects with is only that the connection closed; why is told to listeners.
  let reason: string | null = null;
  connection.on('error', (error: unknown) => {
    reason = reasonOf(error);
  });
  const deadline = withDeadline(deadlineMs);
  try {
    return await Promise.race([deadline.passed, questions(connection)]);
  } catch (error) {
    throw new SlipwayError(
      'redis_unreachable',
      { where, reason: reason ?? reasonOf(error) },
      { cause: error },
    );
  } finally {
    deadline.clear();
    connection.disconnect();
  }
}

async function questions(connection: Redis): Promise<Answers> {
  await connection.connect();
  return { info: parseInfo(await connection.info()), snapshots: await snapshotSetting(connection) };
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

function evictionWarnings(info: ReadonlyMap<string, string>, where: string): readonly string[] {
  const policy = info.get('maxmemory_policy');
  if (policy === undefined || policy === 'noeviction') return [];
  return [
    `Redis at ${where} has maxmemory-policy ${policy} and may throw away jobs when memory is short: set it to noeviction`,
  ];
}

function persistenceWarnings(
  info: ReadonlyMap<string, string>,
  snapshots: string | null,
  where: string,
): readonly string[] {
  if (info.get('aof_enabled') !== '0') return [];
  if (snapshots !== null && snapshots !== '') {
    return [
      `Redis at ${where} keeps snapshots alone and goes back by up to ${formatDuration(longestGapMs(snapshots))} when it crashes: uploads in hand then are sent twice and a pause may be forgotten; set appendonly yes`,
    ];
  }
  return [
    snapshots === null
      ? `Redis at ${where} has no append-only file and does not tell whether it makes snapshots: make sure that it keeps its data over a restart`
      : `Redis at ${where} has persistence off and forgets every job when it restarts: set appendonly yes`,
  ];
}

/** `save` is pairs of seconds and changes: after one change the longest of them may pass. */
function longestGapMs(snapshots: string): number {
  const numbers = snapshots.trim().split(/\s+/).map(Number);
  return 1_000 * Math.max(...numbers.filter((_, index) => index % 2 === 0));
}

/** INFO is `key:value` lines between `# Section` lines. */
function parseInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\r\n').flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return line.startsWith('#') || colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
}
