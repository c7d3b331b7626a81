import { dirname } from 'node:path';
import type { LoadedConfig } from '../../config/load-config.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { hasArchiveName } from '../../intake/archives/archive-kind.ts';
import { adHocSourceName, rememberedManifest } from '../../ledger/store/ad-hoc-source.ts';
import { whyForbidden } from '../../platform/files/folder-access.ts';
import { chooseDestination } from '../../runtime/plans/destination-choice.ts';
import { rootProblem } from '../../runtime/plans/root-problem.ts';
import { type SourcePlan, titleOf } from '../../runtime/plans/source-plan.ts';
import { adHocPlanOf, configuredPlans, sourcePlans, takenNames } from '../../runtime/plans/source-plans.ts';
import { planOfPipedList, writablePlan } from '../../runtime/plans/writable-plan.ts';

/** A path that nothing lies at, as what it was meant. */
export async function missingInput(path: string, absolute: string): Promise<SlipwayError> {
  const isArchiveMeant = hasArchiveName(absolute) && (await whyForbidden(absolute)) === null;
  if (isArchiveMeant)
    return new SlipwayError('archive_unreadable', { path: absolute, reason: 'there is no such file' });
  return (
    (await rootProblem(path, absolute)) ??
    new SlipwayError('source_missing', { source: path, path: absolute })
  );
}

/** @throws SlipwayError `usage` naming the choices */
export function configuredSource(name: string, { config }: LoadedConfig): SourcePlan {
  const found = configuredPlans(config).find((plan) => titleOf(plan) === name);
  if (found !== undefined) return found;
  const choices = configuredPlans(config).map(titleOf).join(', ');
  throw new SlipwayError('usage', {
    problem: `the config file has no source ${name}${choices === '' ? '' : `: --source takes one of ${choices}`}`,
  });
}

/** The source that a folder is, made up where none is configured. */
export async function folderPlan(
  path: string,
  to: string | undefined,
  loaded: LoadedConfig,
): Promise<SourcePlan> {
  const { plans } = await sourcePlans([path], to, loaded);
  const [plan] = plans;
  if (plan === undefined) throw new SlipwayError('source_missing', { source: path, path });
  return plan;
}

/** The source of a list: of the folder that its names are in. */
export async function listPlan(
  base: string,
  { to, filesFrom }: { readonly to?: string | undefined; readonly filesFrom?: string | undefined },
  loaded: LoadedConfig,
): Promise<SourcePlan> {
  const plan = await folderPlan(base, to, loaded);
  const { config } = loaded;
  const isAdHoc = !configuredPlans(config).some(({ name }) => name === plan.name);
  return filesFrom === '-' && isAdHoc ? await planOfPipedList(plan, plan.root, config.dataDir) : plan;
}

/** Its folder is what a worker has to see; its own path is what it is known by. */
export async function archivePlan(
  path: string,
  to: string | undefined,
  loaded: LoadedConfig,
): Promise<SourcePlan> {
  const { config, baseDir } = loaded;
  const { name: destination } = chooseDestination(config, to, baseDir);
  const name = await adHocSourceName(config.dataDir, path, takenNames(config));
  const manifest = await rememberedManifest(config.dataDir, name);
  const plan = adHocPlanOf(name, path, destination, manifest);
  return { ...(await writablePlan(plan, path, config.dataDir)), root: dirname(path) };
}
