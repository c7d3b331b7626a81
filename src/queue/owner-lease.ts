import type { Redis } from 'ioredis';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { isProcessAlive, type ProcessIdentity } from '../platform/process-identity.ts';
import { sourceKey } from './queue-key.ts';

const SECOND = 1000;
/** Another host takes over this long after the owner's last sign of life. */
const LEASE_MS = 15 * SECOND;
const RENEW_MS = 5 * SECOND;

/** Replaces the lease only while it still is what we read. */
const REPLACE_LUA = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return 0`;

/** Renews ours; takes it again when Redis has lost it; says 0 when somebody else has it. */
const RENEW_LUA = `
local now = redis.call('GET', KEYS[1])
if now == false or now == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return 0`;

const RELEASE_LUA = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

/** The process that works on a source, on whatever host. */
export interface Owner extends ProcessIdentity {
  readonly host: string;
}

/** The right to do intake, record and notify for one source: one process at a time (DESIGN §4, Owner). */
export interface OwnerLease {
  release(): Promise<void>;
}

/**
 * Takes the lease of a source: at once when it is free or its owner on this host is dead.
 * @throws SlipwayError `source_owned` while another live process holds it
 */
export async function takeOwnership(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly owner: Owner;
  readonly onLost: (holder: string) => void;
  readonly log: Log;
}): Promise<OwnerLease> {
  const { connection, source, owner, log } = options;
  const key = sourceKey(options.prefix, source, 'owner');
  const mine = JSON.stringify(owner);

  for (;;) {
    if ((await connection.set(key, mine, 'PX', LEASE_MS, 'NX')) === 'OK') break;
    const theirs = await connection.get(key);
    if (theirs === null) continue;
    const holder = JSON.parse(theirs) as Owner;
    if (holder.host !== owner.host || isProcessAlive(holder)) {
      throw new SlipwayError('source_owned', { source, pid: holder.pid, host: holder.host });
    }
    if ((await connection.eval(REPLACE_LUA, 1, key, theirs, mine, LEASE_MS)) === 1) {
      log.info({ source, pid: holder.pid }, 'took over from a process that is gone');
      break;
    }
  }

  const timer = setInterval(() => {
    connection
      .eval(RENEW_LUA, 1, key, mine, LEASE_MS)
      .then((renewed) => {
        if (renewed === 1) return;
        clearInterval(timer);
        options.onLost(source);
      })
      .catch((error: unknown) => log.debug({ source, reason: reasonOf(error) }, 'lease not renewed yet'));
  }, RENEW_MS);

  return {
    async release() {
      clearInterval(timer);
      await connection.eval(RELEASE_LUA, 1, key, mine).catch(() => undefined);
    },
  };
}

/** Who holds the lease of a source now; null: nobody, or a process of this host that is gone. */
export async function leaseHolder(
  connection: Redis,
  prefix: string,
  source: string,
  host: string,
): Promise<Owner | null> {
  const text = await connection.get(sourceKey(prefix, source, 'owner'));
  if (text === null) return null;
  const holder = JSON.parse(text) as Owner;
  return holder.host === host && !isProcessAlive(holder) ? null : holder;
}
