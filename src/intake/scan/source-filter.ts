import type { MetaOptions } from '../options.ts';
import { createFilter, type Filter } from './filter.ts';
import { ownPathsUnder } from './own-paths.ts';

/** What decides which files of a folder are the user's to send. */
export interface SourceFilterOptions {
  /** Absolute path of the source's root. */
  readonly root: string;
  readonly include: readonly string[];
  readonly ignore: readonly string[];
  readonly hidden: boolean;
  /** Absolute paths of Slipway's own files and folders: config, dataDir, manifests, journals (G9). */
  readonly ownPaths: readonly string[];
  /** Slipway writes `<file>.receipt.json` beside the files; left out: no. */
  readonly sidecar?: boolean | undefined;
  readonly meta?: MetaOptions | null | undefined;
}

/** The filter of one source; the same for the watcher and for counting. */
export async function openSourceFilter(options: SourceFilterOptions): Promise<Filter> {
  const { root, include, ignore, hidden, ownPaths, sidecar, meta } = options;
  const own = await ownPathsUnder(root, ownPaths);
  return createFilter({ include, ignore, hidden, own, sidecar, metaSidecar: meta?.sidecar });
}
