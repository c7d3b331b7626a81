import type { LoadedConfig } from '../../config/load-config.ts';
import type { SourceConfig } from '../../config/resolved-config.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { readSourceNames, type SourceNames } from '../../ledger/store/source-names.ts';

/**
 * The configuration with each source under the name by which its records are kept: one that was renamed keeps its first
 * name as identity (ids, queue, ledger folder), and what the file calls it as title. May be applied again.
 * @throws SlipwayError `config_invalid` where two sources would be one, `data_dir`
 */
export async function withIdentities(loaded: LoadedConfig): Promise<LoadedConfig> {
  const { config } = loaded;
  const given = Object.values(config.sources);
  if (given.length === 0) return loaded;
  const names = await readSourceNames(config.dataDir);
  const sources: Record<string, SourceConfig> = {};
  const identities = new Map<string, string>();
  for (const source of given) {
    const title = source.title ?? source.name;
    const name = identityOf(title, source.renamedFrom, names);
    const other = sources[name];
    if (other !== undefined) throw oneName(name, title, other);
    identities.set(title, name);
    sources[name] = name === title ? source : { ...source, name, title };
  }
  if (given.every(({ name }) => sources[name]?.name === name)) return loaded;
  const webhooks = config.webhooks.map(({ sources: named, ...webhook }) => ({
    ...webhook,
    ...(named === undefined ? {} : { sources: named.map((title) => identities.get(title) ?? title) }),
  }));
  return { ...loaded, config: { ...config, sources, webhooks } };
}

function identityOf(title: string, renamedFrom: string | null | undefined, names: SourceNames): string {
  if (renamedFrom === null) return title;
  if (renamedFrom === undefined) return names[title] ?? title;
  const kept = names[title];
  // Renamed twice: the first name is the one that counts. What was kept stays, whatever the name before is used for now.
  return names[renamedFrom] ?? (kept === undefined || kept === title ? renamedFrom : kept);
}

function oneName(name: string, title: string, other: SourceConfig): SlipwayError {
  const renamed = title === name ? (other.title ?? other.name) : title;
  return new SlipwayError('config_invalid', {
    problem: `sources.${name}: the records of source ${renamed} go on under this name, which it had before: give this source another one`,
  });
}
