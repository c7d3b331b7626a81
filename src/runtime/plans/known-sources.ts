import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { ResolvedConfig } from '../../config/resolved-config.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { type IntentOf, intentsFor } from '../../ledger/intent.ts';
import { adHocSources } from '../../ledger/store/ad-hoc-source.ts';
import type { StorePlace } from '../../ledger/store/source-store.ts';
import { type SourcePlan, titleOf } from './source-plan.ts';
import { adHocPlanOf, configuredPlans, planAt, withOwnManifest } from './source-plans.ts';

/** A source that commands can look into: configured, or once named on the command line. */
export interface KnownSource {
  readonly name: string;
  /** Its destination is '' where only the one who ran it knew it. */
  readonly plan: SourcePlan;
}

/** Every source of the config file and of the data folder. */
export async function knownSources(config: ResolvedConfig): Promise<KnownSource[]> {
  const plans = configuredPlans(config);
  const known: KnownSource[] = plans.map((plan) => ({ name: plan.name, plan }));
  const names = new Set(plans.map(({ name }) => name));
  for (const { name, path, manifest } of await adHocSources(config.dataDir)) {
    if (names.has(name)) continue;
    const plan = adHocPlanOf(name, path, '', manifest);
    // As it was when it ran: one manifest has one source.
    const isAlone = manifest !== null || (await planAt(plans, path)) === null;
    known.push({ name, plan: isAlone ? plan : withOwnManifest(plan) });
  }
  return known;
}

/**
 * Those a command means: the one of `--source`, else all.
 * @throws SlipwayError `usage` naming the choices
 */
export async function meantSources(config: ResolvedConfig, name: string | undefined): Promise<KnownSource[]> {
  const known = await knownSources(config);
  if (name === undefined) return known;
  const found = known.find(({ plan }) => titleOf(plan) === name) ?? known.find((one) => one.name === name);
  if (found !== undefined) return [found];
  const choices = known.map(({ plan }) => titleOf(plan)).join(', ');
  throw new SlipwayError('usage', {
    problem: `there is no source ${name}: ${choices === '' ? 'none is known in this data folder' : `--source takes one of ${choices}`}`,
  });
}

/** Where what is kept of it lies, and what a crash left to be done with its files. */
export function placeOf(
  { name, plan }: KnownSource,
  dataDir: string,
  log: Log,
): StorePlace & { readonly intentOf: IntentOf } {
  return { dataDir, source: name, manifest: plan.manifest, log, intentOf: intentsFor(plan) };
}

/** A path a user named, as one source knows it. */
export interface NamedPath {
  readonly source: KnownSource;
  /** Relative to the source's root, `/`-separated. */
  readonly path: string;
}

/**
 * What a path on the command line may mean: a file below the folder of a source, wherever the user stands, else the
 * path as receipts show it, in any source.
 */
export async function namedPaths(
  text: string,
  sources: readonly KnownSource[],
  cwd: string,
): Promise<NamedPath[]> {
  const absolute = resolve(cwd, text);
  const real = await realPathOf(absolute);
  const below: NamedPath[] = [];
  for (const source of sources) {
    const { root } = source.plan;
    const path = pathBelow(absolute, root) ?? pathBelow(real, await realpath(root).catch(() => root));
    if (path !== null) below.push({ source, path });
  }
  if (below.length > 0) return below;
  return sources.map((source) => ({ source, path: text.replace(/^(\.\/)+/, '') }));
}

function pathBelow(path: string, root: string): string | null {
  const prefix = root.endsWith('/') ? root : `${root}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : null;
}

/** Symlinks on the way are resolved, the file itself is not: it is never followed. What is gone is taken as named. */
async function realPathOf(path: string): Promise<string> {
  const parent = dirname(path);
  if (parent === path) return path;
  const found = await realpath(parent).catch(() => null);
  return join(found ?? (await realPathOf(parent)), basename(path));
}
