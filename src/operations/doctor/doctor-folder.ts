import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { type FolderTrial, tryFolder } from '../../intake/watch/folder-trial.ts';
import { formatDuration } from '../../platform/units.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';
import { type Finding, ok, problem, warning } from './doctor-finding.ts';

/** Whether events arrive from a source's folder; how many folders it has, for the limits of the kernel. */
export async function examineFolder(
  plan: SourcePlan,
  ownPaths: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly finding: Finding; readonly folders: number }> {
  const about = { check: 'events', subject: plan.name } as const;
  try {
    const trial = await tryFolder({ ...plan, ownPaths }, performance.now.bind(performance), signal);
    return { finding: judgeTrial(about, plan, trial), folders: trial.folders };
  } catch (error) {
    signal.throwIfAborted();
    const code = (error as NodeJS.ErrnoException).code;
    const options = { source: plan.name, path: plan.root };
    const finding =
      code === 'ENOENT'
        ? problem(about, new SlipwayError('source_missing', options))
        : code === 'ENOTDIR'
          ? problem(about, new SlipwayError('source_not_folder', options))
          : problem(
              about,
              error,
              `the folder ${plan.root} cannot be read (${reasonOf(error)}): give the user that runs Slipway permission`,
            );
    return { finding, folders: 0 };
  }
}

/** What a trial of a folder means to its user. */
export function judgeTrial(
  about: { readonly check: 'events'; readonly subject: string },
  { root, rescan }: Pick<SourcePlan, 'root' | 'rescan'>,
  { canary, network, scanEveryMs }: FolderTrial,
): Finding {
  const scanned =
    scanEveryMs === null
      ? null
      : `this folder is scanned every ${formatDuration(scanEveryMs)}, or as often as its size allows`;
  const why = network === null ? 'polling: true' : `${network}, changes by other machines raise no events`;
  switch (canary.kind) {
    case 'events':
      return scanned === null
        ? ok(about, `events arrive in ${Math.ceil(canary.ms)} ms (${root})`)
        : ok(about, `${scanned} (${why}; own events arrive in ${Math.ceil(canary.ms)} ms)`);
    case 'none':
      return scanned === null
        ? warning(
            about,
            `no events${canary.reason === null ? '' : ` (${canary.reason})`}: this folder is scanned every ${formatDuration(rescan)} only; set polling: true for the source`,
          )
        : ok(about, `no events: ${scanned} (${why})`);
    case 'unwritable':
      return warning(
        about,
        `${root} cannot be written (${canary.reason}), so whether events arrive is not known${scanned === null ? '' : `; ${scanned}`}`,
      );
  }
}
