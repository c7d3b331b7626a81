import { SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { createPendingJobs, type PendingJobs } from '../../intake/admit/pending-jobs.ts';
import { installationId } from '../../ledger/store/data-dir.ts';
import { lockSource } from '../../ledger/store/source-lock.ts';
import { openLockedStore, type SourceStore } from '../../ledger/store/source-store.ts';
import type { ProcessIdentity } from '../../platform/process/process-identity.ts';
import { createMutex, type Exclusive } from '../../platform/waiting/mutex.ts';
import type { Releases } from '../../platform/waiting/releases.ts';
import { openUploadQueue, type UploadQueue } from '../../queue/upload-queue.ts';
import { takeOwnership } from '../../redis/coordination/owner-lease.ts';
import type { RedisAccess } from '../../redis/redis-access.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import { createFilesInHand, type FilesInHand } from './files-in-hand.ts';
import type { OwnerEvents } from './owner-events.ts';
import { takeOver } from './when-free.ts';

export interface OwnOptions {
  readonly plan: SourcePlan;
  readonly redis: RedisAccess;
  readonly prefix: string;
  readonly dataDir: string;
  readonly maxPending: number;
  readonly owner: ProcessIdentity & { readonly host: string };
  readonly log: Log;
  readonly now: () => number;
}

/** What only the owner of a source may touch. */
export interface Owned {
  readonly store: SourceStore;
  readonly queue: UploadQueue;
  /** The jobs of the queue that are not recorded. */
  readonly pending: PendingJobs;
  /** Those of them that this process sends. */
  readonly inHand: FilesInHand;
  /** The mutex of the source: {ledger check, add}, {remove}, a file's leaving its carrier and {comparison} exclude one another (rule mutex). */
  readonly exclusive: Exclusive;
}

/**
 * First step of an owner: the source is ours, on this host and in Redis, and what is kept of it is open.
 * @throws SlipwayError `source_owned` by a process of this host, `owned_elsewhere` by one of another, `queue_foreign`, and
 *   what opening the store throws
 */
export async function ownSource(
  options: OwnOptions,
  events: OwnerEvents,
  releases: Releases,
): Promise<Owned> {
  const { plan, redis, prefix, dataDir, owner, log, now } = options;
  const { connection } = redis;
  const source = plan.name;
  // First: an owner of this host that was only stopped for a while must not lose its lease to us.
  releases.add(lockSource(dataDir, source));
  const ledger = { id: await installationId(dataDir), dataDir };
  const { whenFree } = takeOver({ source, host: owner.host, log });
  const lease = await whenFree(() =>
    takeOwnership({
      ...{ connection, prefix, source, owner, ledger, log },
      onLost() {
        const error = new SlipwayError('source_lost', { source });
        log.error({ source }, error.message);
        events.tell('lost', error);
      },
    }),
  );
  releases.add(() => lease.release());
  const store = await whenFree(() => openLockedStore({ dataDir, source, manifest: plan.manifest, log }));
  releases.add(() => store.close());
  const queue = openUploadQueue({ connection, prefix, source, destination: plan.destination, log, now });
  releases.add(() => queue.close());
  const pending = createPendingJobs(options.maxPending);
  const there = await queue.jobs();
  pending.replace([...there].map(([jobId, { carrier }]) => [jobId, carrier]));
  events.on('recorded', ({ jobIds }) => pending.remove(jobIds));
  return { store, queue, pending, inHand: createFilesInHand(), exclusive: createMutex() };
}
