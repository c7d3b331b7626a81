import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import { decide, type Rules } from '../admit/decision.ts';
import type { RecordedVersion } from '../ports.ts';
import { networkFileSystemOf } from '../watch/network-fs.ts';
import { rescan } from './rescan.ts';
import { openSourceFilter, type SourceFilterOptions } from './source-filter.ts';
import { createFileStats } from './stat-files.ts';

export interface BacklogOptions extends SourceFilterOptions, Rules {
  readonly source: string;
  readonly destination: string;
}

export interface Backlog {
  readonly files: number;
  readonly bytes: number;
}

/**
 * What a start would send now: the files the watcher would take and nobody has recorded yet. Asked before the first
 * start with a public destination (G9); a folder that cannot be read counts for nothing.
 * @param recorded the ledger's answer
 */
export async function countBacklog(
  options: BacklogOptions,
  recorded: (id: string) => RecordedVersion | null,
  signal: AbortSignal,
): Promise<Backlog> {
  const { root, source, destination } = options;
  const filter = await openSourceFilter(options);
  const report = { ignored() {}, unobservable() {} };
  let files = 0;
  let bytes = 0;
  const isLocal = (await networkFileSystemOf(root)) === null;
  const fileStats = createFileStats(root, () => isLocal, performance.now.bind(performance));
  for await (const step of rescan({
    root,
    fileStats,
    filter,
    start: { path: '' },
    entering: () => {},
    descend: () => true,
    signal,
    report,
  })) {
    for (const file of step) {
      const { name, size, mtimeNs } = file;
      const version: FileVersion = { source, destination, ...name, size, mtimeNs };
      if (decide(file, recorded(fileVersionId(version)), options).kind !== 'upload') continue;
      files += 1;
      bytes += size;
    }
  }
  signal.throwIfAborted();
  return { files, bytes };
}
