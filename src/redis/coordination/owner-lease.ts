import type { Redis } from 'ioredis';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { isProcessAlive, type ProcessIdentity } from '../../platform/process/process-identity.ts';
import { sourceKey } from '../queue-key.ts';

const SECOND = 1000;
/** Another host takes over this long after the owner's last sign of life. */
const LEASE_MS = 15 * SECOND;
const RENEW_MS = 5 * SECOND;

/**
 * The lease ends by itself; whose ledger the queue belongs to stays, so that both are looked at and set in one step.
 * KEYS: lease, ledger. ARGV: our lease, its life in ms, ledger id, host, data folder, the lease we may replace.
 */
const TAKE_LUA = `
local ledger = redis.call('HGET', KEYS[2], 'id')
if ledger and ledger ~= ARGV[3] then return 'foreign' end
local now = redis.call('GET', KEYS[1])
if now and now ~= ARGV[6] then return now end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'id', ARGV[3], 'host', ARGV[4], 'dataDir', ARGV[5])
return 'taken'`;

/** Renews ours; takes it again when Redis has lost it; says 0 when somebody else has it. KEYS, ARGV: as above, to 5. */
const RENEW_LUA = `
local ledger = redis.call('HGET', KEYS[2], 'id')
if ledger and ledger ~= ARGV[3] then return 0 end
local now = redis.call('GET', KEYS[1])
if now and now ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'id', ARGV[3], 'host', ARGV[4], 'dataDir', ARGV[5])
return 1`;

const RELEASE_LUA = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

/** The process that works on a source, on whatever host. */
export interface Owner extends ProcessIdentity {
  readonly host: string;
}

/** The ledger that an owner writes. The id is its data folder's: one built again from its journal is still the same. */
export interface OwnedLedger {
  readonly id: string;
  /** Absolute path, for whoever is refused because of it. */
  readonly dataDir: string;
}

/** What the lease holds (contract §4, Owner). */
interface Lease extends Owner {
  /** Left out: of a version that did not name it yet. */
  readonly ledgerId?: string;
}

/** The right to do intake, record and notify for one source: one process at a time (contract §4, Owner). */
export interface OwnerLease {
  release(): Promise<void>;
}

/**
 * Takes the lease of a source: at once when it is free or its owner on this host is dead. Another ledger is refused, also
 * when nobody works on the source and nothing waits: two data folders that share a Redis and a prefix would record each
 * other's jobs in the wrong manifest.
 * @throws SlipwayError `source_owned` while another live process holds it, `queue_foreign` for another ledger
 */
export async function takeOwnership(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly owner: Owner;
  readonly ledger: OwnedLedger;
  readonly onLost: (holder: string) => void;
  readonly log: Log;
}): Promise<OwnerLease> {
  const { connection, prefix, source, owner, ledger, log } = options;
  const key = sourceKey(prefix, source, 'owner');
  const ledgerKey = sourceKey(prefix, source, 'ledger');
  const { host, pid, startTime } = owner;
  const mine = JSON.stringify({ host, pid, startTime, ledgerId: ledger.id } satisfies Lease);
  const ours = [mine, LEASE_MS, ledger.id, host, ledger.dataDir] as const;

  let replacing = '';
  for (;;) {
    const answer = String(await connection.eval(TAKE_LUA, 2, key, ledgerKey, ...ours, replacing));
    if (answer === 'taken') break;
    if (answer === 'foreign') throw await foreign(connection, source, ledgerKey, key);
    const holder = JSON.parse(answer) as Lease;
    if (holder.ledgerId !== undefined && holder.ledgerId !== ledger.id)
      throw await foreign(connection, source, ledgerKey, key);
    if (holder.host !== host || isProcessAlive(holder)) {
      throw new SlipwayError('source_owned', { source, pid: holder.pid, host: holder.host });
    }
    replacing = answer;
  }
  if (replacing !== '') {
    log.info({ source, pid: (JSON.parse(replacing) as Lease).pid }, 'took over from a process that is gone');
  }

  const timer = setInterval(() => {
    connection
      .eval(RENEW_LUA, 2, key, ledgerKey, ...ours)
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

/** Which ledger it is, and how a queue is freed whose ledger is no more: only its user can know that. */
async function foreign(connection: Redis, source: string, key: string, lease: string): Promise<SlipwayError> {
  const { host = '?', dataDir = '?' } = await connection.hgetall(key);
  return new SlipwayError('queue_foreign', { source, host, dataDir, key, lease });
}
