import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import type { DestinationBlocker } from '../../domain/blocker.ts';
import type { DestinationReport } from '../../domain/live-report.ts';
import type { ConcurrencyOptions } from '../../pacing/options.ts';
import type { HttpClientOptions } from '../../platform/http/http-client.ts';
import type { RedisPlace } from '../../redis/redis-place.ts';
import type { Trouble } from '../../traffic/last-failure.ts';
import type { RetryOptions } from '../../upload/options.ts';
import type { LogLevel } from '../logger.ts';
import type { SourcePlan } from '../plans/source-plan.ts';

/** By the name of the source: identity of the folder that held its files the last time; null: none did. */
export type HeldRoots = Readonly<Record<string, string | null>>;

/** All that an upload process needs; goes to it over the pipe between the two, never over the disk. */
export interface WorkerConfig {
  readonly plans: readonly SourcePlan[];
  readonly destinations: readonly {
    readonly definition: DestinationDefinition;
    readonly concurrency: ConcurrencyOptions;
  }[];
  readonly http: HttpClientOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly dataDir: string;
  readonly redis: RedisPlace;
  readonly retry: RetryOptions;
  readonly logLevel: LogLevel;
  /** Which folder held the files of each source, as the parent knows it now; empty where the parent is not the owner. */
  readonly heldRoots: HeldRoots;
}

/** What the parent sees of one destination in an upload process. */
export interface DestinationView {
  readonly report: DestinationReport;
  readonly blockers: readonly DestinationBlocker[];
  /** Why files are failing for now; null since the last success. */
  readonly trouble: Trouble | null;
  /** Milliseconds since the epoch; null before the first. */
  readonly lastProgressAtMs: number | null;
  readonly movingSinceMs: number | null;
}

/** From the parent to an upload process. */
export type ToWorker =
  | { readonly kind: 'start'; readonly workerConfig: WorkerConfig }
  | { readonly kind: 'stop'; readonly budgetMs: number }
  | { readonly kind: 'cut-short' };

/** From an upload process to its parent. */
export type FromWorker =
  | { readonly kind: 'view'; readonly destinations: readonly DestinationView[] }
  | { readonly kind: 'stopped'; readonly complete: boolean };
