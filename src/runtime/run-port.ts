import type { BatchProgress } from '../domain/batch-progress.ts';
import type { BatchSource } from '../domain/batch-source.ts';
import type { SlipwayError } from '../domain/errors.ts';
import type { LiveReport, Role } from '../domain/live-report.ts';
import type { Log } from '../domain/log.ts';
import type { Receipt, ReceiptStatus } from '../domain/receipt.ts';
import type { HttpClient } from '../platform/http/http-client.ts';
import type { ProbeTiming } from '../traffic/destination-health.ts';
import type { RetryOptions } from '../upload/options.ts';
import type { OnceEnd } from './once-end.ts';
import type { NotifyOptions } from './owner/keep-records.ts';
import type { SourceOwnerOptions } from './owner/source-owner.ts';
import type { SourcePlan } from './plans/source-plan.ts';
import type { DestinationView, HeldRoots } from './processes/worker-config.ts';
import type { WorkerPool } from './processes/worker-pool.ts';
import type { RunDestination } from './worker/open-traffic.ts';

/** What a run is made of. */
export interface RunFacts extends Pick<SourceOwnerOptions, 'meta'> {
  /** Both: everything in one process. */
  readonly roles: readonly Role[];
  readonly plans: readonly SourcePlan[];
  /** Every destination a plan names; needed by workers only. */
  readonly destinations: readonly RunDestination[];
  readonly http: HttpClient;
  readonly dataDir: string;
  readonly redis: { readonly url: string | null; readonly prefix: string };
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
  /** For the fault harness only: nothing in the product sets it. */
  readonly failpoint?: SourceOwnerOptions['failpoint'];
}

/** The sources of one process at work. */
export interface Run {
  report(): Promise<LiveReport>;
  /** Why a source can no longer be recorded, or is worked on by somebody else; null when all is well. */
  failure(): SlipwayError | null;
  /** Resolves when no source can go on: there is nothing left to run for. */
  readonly dead: Promise<void>;
  /** How far a batch is, by source; sources that do not know it are left out. */
  batch(id: string): BatchProgress[];
  /** For the parent of an upload process. */
  destinationViews(): DestinationView[];
  /** Receipts recorded since the start. */
  recorded(): Readonly<Record<ReceiptStatus, number>>;
  /**
   * Until everything that lies in the folders is recorded, or a source's destination is stopped, or nothing has
   * succeeded there for `giveUpMs` while files were failing.
   */
  once(giveUpMs: number, signal: AbortSignal): Promise<OnceEnd[]>;
  /**
   * Ends within the budget: finds nothing new, lets uploads in flight finish, records them, leaves.
   * @returns whether every upload in flight could finish
   */
  stop(budgetMs: number): Promise<boolean>;
  /** Cuts a stop under way short: uploads in flight are given back. */
  cutShort(): void;
}
