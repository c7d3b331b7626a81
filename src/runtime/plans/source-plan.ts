import type { AfterActions } from '../../domain/after-action.ts';
import type { IntakeOptions } from '../../intake/options.ts';
import type { WatcherOptions } from '../../intake/watch/watcher.ts';
import type { SnapshotMode } from '../../record/options.ts';

/** One source, resolved: what to watch, where to send it, where to write it down. */
export interface SourcePlan
  extends Pick<
      WatcherOptions,
      | 'include'
      | 'ignore'
      | 'settle'
      | 'rescan'
      | 'hidden'
      | 'polling'
      | 'minAge'
      | 'minBytes'
      | 'maxBytes'
      | 'existing'
      | 'meta'
      | 'batch'
    >,
    Pick<IntakeOptions, 'dedupe'>,
    AfterActions {
  /** The name under which its records and its queue are kept. */
  readonly name: string;
  /** What the config file calls it, where it was renamed. */
  readonly title?: string;
  /** Absolute path of its folder. */
  readonly root: string;
  /** Name of its destination. */
  readonly destination: string;
  /** Absolute path of its manifest. */
  readonly manifest: string;
  readonly snapshot: SnapshotMode;
  /** Name of its queue where it is not the source's: what came in by HTTP has one for each destination. */
  readonly queue?: string;
}

/** How people call a source. */
export function titleOf({ name, title }: Pick<SourcePlan, 'name' | 'title'>): string {
  return title ?? name;
}
