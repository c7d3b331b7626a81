import type { SkipCode } from '../../domain/receipt.ts';
import type { UploadJob } from '../../domain/upload-job.ts';
import { refusedBySource } from '../../intake/admit/decision.ts';
import type { Filter } from '../../intake/scan/filter.ts';
import { openSourceFilter } from '../../intake/scan/source-filter.ts';
import type { SourcePlan } from '../plans/source-plan.ts';

export type RuledOut = (job: UploadJob) => { readonly code: SkipCode; readonly message: string } | null;

/**
 * What the rules of a source say now of files that were queued under others: the config was edited while they waited, and
 * what it excludes must not be sent. The same filter and the same limits as at admission, by name and size alone.
 * @param ownPaths absolute paths of Slipway's own files
 */
export async function ruledOutBy(plan: SourcePlan, ownPaths: readonly string[]): Promise<RuledOut> {
  const filter = await openSourceFilter({ ...plan, ownPaths });
  // What is named like ours in an archive is the user's.
  const inArchives = await openSourceFilter({ ...plan, ownPaths: [] });
  const onDisk = byFolder(filter);
  return (job) => {
    const { path, size } = job;
    // Accepted at the far side already: it is only asked for.
    if (job.uploaded !== undefined) return null;
    const reason = job.spooled === true ? inArchives.path(entryNameOf(path), 'file') : onDisk(path);
    if (reason !== null)
      return {
        code: 'excluded',
        message: `the rules of its source leave it out since it was queued (${reason})`,
      };
    return refusedBySource({ name: job, size }, plan);
  };
}

/** Files come folder by folder: what holds of a folder is looked up once in a row. */
function byFolder(filter: Filter) {
  let last: string | null = null;
  let reasonOfLast: ReturnType<Filter['path']> = null;
  return (path: string): ReturnType<Filter['path']> => {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (folder !== last) {
      last = folder;
      reasonOfLast = folder === '' ? null : filter.path(folder, 'directory');
    }
    return reasonOfLast ?? filter.entry(path, 'file');
  };
}

/** `archive.zip!/dir/name` is `dir/name` there. */
function entryNameOf(path: string): string {
  return path.slice(path.indexOf('!/') + 2);
}
