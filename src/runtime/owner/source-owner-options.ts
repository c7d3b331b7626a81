import type { DestinationLimits } from '../../destinations/destination.ts';
import type { BatchProgress } from '../../domain/batch-progress.ts';
import type { BatchSource } from '../../domain/batch-source.ts';
import type { SlipwayError } from '../../domain/errors.ts';
import type { GivenMeta } from '../../domain/file-meta.ts';
import type { SourceReport } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { SpoolBudget } from '../../intake/archives/spool-budget.ts';
import type { Endpoint } from '../../notify/endpoint/endpoint.ts';
import type { NotifierOptions } from '../../notify/notifier.ts';
import type { ProcessIdentity } from '../../platform/process/process-identity.ts';
import type { RecorderOptions } from '../../record/recorder.ts';
import type { RedisAccess } from '../../redis/redis-access.ts';
import type { SourcePlan } from '../plans/source-plan.ts';

/** Who is told what is recorded, and how they are reached. */
export interface NotifyOptions extends Pick<NotifierOptions, 'senders' | 'timing' | 'failpoint'> {
  endpointsOf(source: string): Endpoint[];
}

export interface SourceOwnerOptions {
  readonly plan: SourcePlan;
  /** What its destination takes; null: not known here. */
  readonly limits: DestinationLimits | null;
  readonly redis: RedisAccess;
  readonly prefix: string;
  readonly dataDir: string;
  readonly maxPending: number;
  /** What the command line attaches to every file. */
  readonly meta?: GivenMeta | undefined;
  readonly ownPaths: readonly string[];
  /** What may lie unpacked out of archives, shared by the sources of this process. */
  readonly spool: SpoolBudget;
  /** To be found and sent instead of watching the folder. */
  readonly batch: BatchSource | undefined;
  readonly owner: ProcessIdentity & { readonly host: string };
  readonly onRecorded: (receipts: readonly Receipt[]) => void;
  /** Receipts can, or cannot, be kept: uploads of this process go on, or pause. */
  readonly onRecording: (recording: boolean) => void;
  /** Another process works on this source now; nothing of it may go on here. */
  readonly onLost: () => void;
  /** null: nobody is told. */
  readonly telling: NotifyOptions | null;
  /** For the fault harness only: nothing in the product sets it. */
  readonly failpoint: RecorderOptions['failpoint'];
  readonly log: Log;
  readonly now: () => number;
}

/** What the owner of one source does: intake and record. */
export interface SourceOwner {
  readonly plan: SourcePlan;
  /** Files and folders that the last comparison of the whole folder could not look at. */
  unreadable(): number;
  /** Identity of the folder that held the files of this source the last time; null: none did. */
  rootHeld(): string | null;
  /** Jobs have finished in this process. */
  wake(): void;
  report(): Promise<SourceReport>;
  /** How far a batch is; null: this owner does not know it. */
  batch(id: string): BatchProgress | null;
  /** Resolves when everything that lies in the folder is recorded. Rejects when it cannot be. */
  drained(signal: AbortSignal): Promise<void>;
  /** Why receipts cannot be kept, or whose source it is now; null when all is well. */
  failure(): SlipwayError | null;
  /** Resolves when this source cannot go on in this process. */
  readonly dead: Promise<void>;
  /** Finds nothing new. */
  quiesce(): Promise<void>;
  /** Records what has finished, refreshes the manifest where it fits the budget, and leaves everything. */
  close(budgetMs: number): Promise<void>;
}
