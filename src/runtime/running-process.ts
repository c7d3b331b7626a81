import type { BatchSource } from '../domain/batch-source.ts';
import type { Role } from '../domain/live-report.ts';
import type { Log } from '../domain/log.ts';
import type { Receipt, ReceiptStatus } from '../domain/receipt.ts';
import { createSpoolBudget, type SpoolBudget } from '../intake/archives/spool-budget.ts';
import { openDataDir } from '../ledger/store/data-dir.ts';
import { createRateMeter, type RateMeter } from '../pacing/rate-meter.ts';
import type { HttpClient } from '../platform/http/http-client.ts';
import { hostIdentity, ownIdentity, type ProcessIdentity } from '../platform/process/process-identity.ts';
import { systemClock } from '../platform/waiting/clock.ts';
import { openPauses, type Pauses } from '../redis/coordination/pauses.ts';
import { openRedisAccess, type RedisAccess } from '../redis/redis-access.ts';
import type { RedisPlace } from '../redis/redis-place.ts';
import { PROBE_TIMING, type ProbeTiming } from '../traffic/destination-health.ts';
import type { UploadHandlerOptions } from '../upload/job/upload-handler.ts';
import type { RetryOptions } from '../upload/options.ts';
import type { NotifyOptions } from './owner/keep-records.ts';
import type { SourceOwner, SourceOwnerOptions } from './owner/source-owner.ts';
import type { SourcePlan } from './plans/source-plan.ts';
import type { HeldRoots } from './processes/worker-config.ts';
import type { WorkerPool } from './processes/worker-pool.ts';
import { type OpenTraffics, openTraffics, type RunDestination } from './worker/open-traffic.ts';
import type { RootWatch } from './worker/root-watch.ts';
import type { SourceWorker } from './worker/source-worker.ts';

/** What a run is made of. */
export interface RunFacts extends Pick<SourceOwnerOptions, 'meta'> {
  /** Both: everything in one process. */
  readonly roles: readonly Role[];
  readonly plans: readonly SourcePlan[];
  /** Every destination a plan names; needed by workers only. */
  readonly destinations: readonly RunDestination[];
  readonly http: HttpClient;
  readonly dataDir: string;
  readonly redis: RedisPlace;
  readonly maxPending: number;
  readonly retry: RetryOptions;
  /** `spool.maxBytes`; left out where no archive can come. */
  readonly spoolMaxBytes?: number;
  /** What is sent of these sources, and then no more; without one a source is watched. */
  readonly batches?: readonly BatchSource[];
  /** Absolute paths of Slipway's own files and folders. */
  readonly ownPaths: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly onReceipts: (receipts: readonly Receipt[]) => void;
  readonly log: Log;
  /** Who is told what is recorded; left out: nobody. */
  readonly telling?: NotifyOptions;
  /** When a stopped destination is tried again. */
  readonly probe?: ProbeTiming;
  /** Whether `status` may find this process's report; an upload process reports to its parent instead. */
  readonly published?: boolean;
  /** Starts the upload processes that do the uploading in place of this process. */
  readonly pool?: (heldRoots: () => HeldRoots) => WorkerPool;
  /** What an upload process was told by its parent. */
  readonly heldRoots?: HeldRoots;
  /** Left out: the files of its sources lie in folders. */
  readonly received?: ReceivedFiles;
  /** For the fault harness only: nothing in the product sets it. */
  readonly failpoint?: SourceOwnerOptions['failpoint'];
}

/** Files that come in by another way than a folder: who owns them, and how each is sent. Their plans are of one source. */
export interface ReceivedFiles {
  startOwner(options: SourceOwnerOptions): Promise<SourceOwner>;
  readonly ownUpload: UploadHandlerOptions['ownUpload'];
}

/** What the sources of one process share, and which of them are at work. */
export interface RunningProcess {
  readonly options: RunFacts;
  readonly identity: ProcessIdentity & { readonly host: string };
  readonly redis: RedisAccess;
  readonly pauses: Pauses;
  readonly traffics: OpenTraffics;
  readonly spool: SpoolBudget;
  readonly owners: SourceOwner[];
  readonly workers: SourceWorker[];
  readonly rootWatches: RootWatch[];
  /** Names of the sources it serves; grows by those whose folders appear later. */
  readonly sources: string[];
  /** The processes that upload in place of this one; null: none. */
  pool: WorkerPool | null;
  /** Nothing new is started from here on. */
  stopping: boolean;
  readonly counted: Counted;
}

/** What has been recorded since the start. */
export interface Counted {
  readonly recorded: Readonly<Record<ReceiptStatus, number>>;
  readonly rate: Pick<RateMeter, 'read'>;
  readonly onRecorded: (receipts: readonly Receipt[]) => void;
}

export function nowMs(): number {
  return systemClock.nowMs();
}

/** Whether this very process uploads, and not processes of its own. */
export function uploadsHere({ roles, pool }: RunFacts): boolean {
  return roles.includes('worker') && pool === undefined;
}

/** What an upload process sees, or does not, its parent says. */
export function isQuiet({ published }: RunFacts): boolean {
  return published === false;
}

/**
 * Opens what all sources of a process share; none of them is at work yet.
 * @throws SlipwayError `data_dir…`, `redis_…`
 */
export async function openProcess(
  options: RunFacts,
  visible: readonly SourcePlan[],
): Promise<RunningProcess> {
  const { dataDir, env, log, probe = PROBE_TIMING } = options;
  const { prefix } = options.redis;
  await openDataDir(dataDir, log);
  const redis = await openRedisAccess({ dataDir, redis: options.redis, env, log });
  const { connection } = redis;
  const identity = { ...ownIdentity(), host: hostIdentity() };
  const pauses = await openPauses({ dataDir, connection, prefix, log });
  const workers: SourceWorker[] = [];
  const traffics = await openTraffics({
    ...{ connection, prefix, pauses, probe, log, now: nowMs, member: `${identity.host}:${identity.pid}` },
    destinations: uploadsHere(options) ? options.destinations : [],
    inHand: (name) => activeOf(workers.filter(({ plan }) => plan.destination === name)),
  });
  return {
    ...{ options, identity, redis, pauses, traffics, workers, owners: [], rootWatches: [] },
    ...{ spool: createSpoolBudget(options.spoolMaxBytes ?? 0), counted: counting(options) },
    sources: visible.map(({ name }) => name),
    ...{ pool: null, stopping: false },
  };
}

/** Jobs in hand, whatever they wait for. */
export function activeOf(workers: readonly SourceWorker[]): number {
  return workers.reduce((sum, worker) => sum + worker.active(), 0);
}

function counting({ onReceipts }: RunFacts): Counted {
  const recorded: Record<ReceiptStatus, number> = { uploaded: 0, failed: 0, skipped: 0 };
  const rate = createRateMeter(nowMs);
  return {
    recorded,
    rate,
    onRecorded(receipts) {
      for (const { status, bytes, reusedFrom } of receipts) {
        recorded[status] += 1;
        rate.add(1, status === 'uploaded' && reusedFrom === undefined ? bytes : 0);
      }
      onReceipts(receipts);
    },
  };
}
