import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { LoadedConfig } from '../../config/load-config.ts';
import { adHocSource } from '../../config/resolve-config.ts';
import type { ResolvedConfig, SourceConfig } from '../../config/resolved-config.ts';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { journalPathOf } from '../../ledger/journal/manifest-journal.ts';
import { adHocSourceName, rememberedManifest } from '../../ledger/store/ad-hoc-source.ts';
import { oddManifests } from '../../ledger/store/odd-manifests.ts';
import { chooseDestination } from './destination-choice.ts';
import { rootProblem } from './root-problem.ts';
import { type SourcePlan, titleOf } from './source-plan.ts';
import { writablePlan } from './writable-plan.ts';

export { forgetNewSources } from '../../ledger/store/ad-hoc-source.ts';

/** The sources of the config file. */
export function configuredPlans(config: ResolvedConfig): SourcePlan[] {
  return Object.values(config.sources).map(planOf);
}

/** Names that configured sources have, or had before they were renamed. */
export function takenNames(config: ResolvedConfig): string[] {
  return configuredPlans(config).flatMap((plan) => [plan.name, titleOf(plan)]);
}

/**
 * The sources of the config file, or one per folder named on the command line.
 * @throws SlipwayError `usage`, `source_missing`, `source_not_folder`, `data_dir…`
 */
export async function sourcePlans(
  paths: readonly string[],
  to: string | undefined,
  loaded: LoadedConfig,
): Promise<{ plans: SourcePlan[]; definitions: DestinationDefinition[] }> {
  const { config, baseDir } = loaded;
  const configured = configuredPlans(config);
  if (paths.length === 0) {
    if (to !== undefined)
      throw new SlipwayError('usage', {
        problem: '--to goes with a PATH; the sources of the config file name their own destination',
      });
    if (configured.length === 0)
      throw new SlipwayError('usage', {
        problem: 'the config file has no sources: add one, or name a folder to watch',
      });
    const used = new Set(configured.map(({ destination }) => destination));
    return {
      plans: configured,
      definitions: Object.values(config.definitions).filter(({ name }) => used.has(name)),
    };
  }
  const plans: SourcePlan[] = [];
  const definitions = new Map<string, DestinationDefinition>();
  for (const path of paths) {
    const root = await folderOf(path);
    if (plans.some((plan) => plan.root === root)) continue;
    const there = await planAt(configured, root);
    // The same folder to the same destination is the same source, however it was named.
    const known = there !== null && (to === undefined || to === there.destination) ? there : null;
    const definition =
      known === null ? chooseDestination(config, to, baseDir) : config.definitions[known.destination];
    if (definition === undefined) continue;
    definitions.set(definition.name, definition);
    if (known !== null) plans.push(known);
    else {
      const plan = await adHocPlan(root, definition.name, config);
      plans.push(await writablePlan(there === null ? plan : withOwnManifest(plan), root, config.dataDir));
    }
  }
  return { plans, definitions: [...definitions.values()] };
}

async function folderOf(path: string): Promise<string> {
  const absolute = resolve(path);
  const problem = await rootProblem(path, absolute);
  if (problem?.code === 'source_not_folder')
    throw new SlipwayError('usage', {
      problem: `${path} is not a folder: name the folder to watch; a single file goes with slipway upload ${path}, an archive with slipway ingest ${path}`,
    });
  if (problem !== null) throw problem;
  return await realpath(absolute);
}

/** The configured source of a folder, however its path is spelled there. */
export async function planAt(configured: readonly SourcePlan[], root: string): Promise<SourcePlan | null> {
  for (const plan of configured) if ((await realpath(plan.root).catch(() => null)) === root) return plan;
  return null;
}

async function adHocPlan(root: string, destination: string, config: ResolvedConfig): Promise<SourcePlan> {
  const name = await adHocSourceName(config.dataDir, root, takenNames(config));
  return adHocPlanOf(name, root, destination, await rememberedManifest(config.dataDir, name));
}

/** Two sources must not write one journal: a folder that is also a configured source gets a second manifest. */
export function withOwnManifest(plan: SourcePlan): SourcePlan {
  const { root, name } = plan;
  return { ...plan, manifest: join(dirname(root), `${basename(root)}.${name}.manifest.json`) };
}

/**
 * The plan of a source that was named on the command line: every option has its default.
 * @param manifest where it is not beside the folder
 */
export function adHocPlanOf(
  name: string,
  root: string,
  destination: string,
  manifest: string | null = null,
): SourcePlan {
  const plan = planOf(adHocSource(name, root, destination));
  return manifest === null ? plan : { ...plan, manifest };
}

function planOf({ path, ...source }: SourceConfig): SourcePlan {
  return { ...source, root: path };
}

/** G9: none of Slipway's own files is ever uploaded, nor what the config names besides: tokens and certificates. */
export function ownPathsOf({ config, file }: LoadedConfig, plans: readonly SourcePlan[]): string[] {
  const manifests = [
    ...plans.map(({ manifest }) => manifest),
    ...Object.values(config.sources).map(({ manifest }) => manifest),
  ];
  const configFiles = file === null ? [] : [file, join(dirname(file), '.env')];
  const tokenFiles = Object.values(config.definitions).flatMap(({ token }) =>
    token !== null && 'file' in token ? [token.file] : [],
  );
  const pemFiles = Object.values(config.network).filter((file) => file !== null);
  const moveTargets = Object.values(config.sources)
    .flatMap(({ onSuccess, onFailure }) => [onSuccess, onFailure])
    .flatMap((action) => (typeof action === 'object' ? [`${action.moveTo}/`] : []));
  return [
    // A folder: `data.csv` beside `./data` is the user's.
    `${config.dataDir}/`,
    ...configFiles,
    ...tokenFiles,
    ...moveTargets,
    ...pemFiles,
    ...manifests.flatMap((manifest) => [manifest, journalPathOf(manifest)]),
    ...oddManifests(config.dataDir),
  ];
}
