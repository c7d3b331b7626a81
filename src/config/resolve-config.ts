import type { DestinationDefinition } from '../destinations/definition/definition.ts';
import { presetNames } from '../destinations/definition/presets.ts';
import { resolveDestination } from '../destinations/definition/resolve-destination.ts';
import type { AfterAction } from '../domain/after-action.ts';
import { defaultSettleMs } from '../intake/options.ts';
import { onlyDestination } from './cross-checks.ts';
import type { Environment } from './env.ts';
import { defaultManifest, placePath } from './place.ts';
import type { ResolvedConfig, SourceConfig } from './resolved-config.ts';
import { SANDBOX, sandboxDestination } from './sandbox-destination.ts';
import { type ParsedConfig, sourceSchema } from './schema.ts';

/**
 * Paths made absolute, destinations put together, everything frozen. The config has passed every check.
 * @param secrets as `secretValues` gives them
 */
export function resolveConfig(
  parsed: ParsedConfig,
  baseDir: string,
  env: Environment,
  secrets: readonly string[],
): ResolvedConfig {
  const placed = (path: string): string => placePath(path, baseDir, env);
  const placedFile = (path: string | null): string | null => (path === null ? null : placed(path));
  const only = onlyDestination(parsed.destinations);
  const sources = mapRecord(parsed.sources, (source, name) => {
    const destination = source.destination ?? only ?? '';
    return placedSource({ ...source, name, destination }, placed);
  });
  return deepFrozen({
    ...parsed,
    dataDir: placed(parsed.dataDir),
    redis: { ...parsed.redis, tls: redisTls(parsed, placedFile) },
    network: {
      caFile: placedFile(parsed.network.caFile),
      certFile: placedFile(parsed.network.certFile),
      keyFile: placedFile(parsed.network.keyFile),
    },
    definitions: mapRecord(definitionsOf(parsed, Object.values(sources), baseDir), (definition) => ({
      ...definition,
      secrets,
    })),
    sources,
    secrets,
  });
}

/** Who is trusted for everything is trusted for Redis, unless Redis has authorities of its own. null: it speaks no TLS. */
function redisTls(
  { redis, network }: ParsedConfig,
  placedFile: (path: string | null) => string | null,
): ParsedConfig['redis']['tls'] {
  const { tls, url } = redis;
  if (tls === null && url?.startsWith('rediss://') !== true) return null;
  const { caFile = null, certFile = null, keyFile = null, servername = null } = tls ?? {};
  return {
    caFile: placedFile(caFile ?? network.caFile),
    ...{ certFile: placedFile(certFile), keyFile: placedFile(keyFile), servername },
  };
}

/**
 * A source made up on the command line (`run PATH --to X`), with the same defaults as one in the file.
 * @param path absolute
 */
export function adHocSource(name: string, path: string, destination: string): SourceConfig {
  const source = sourceSchema.parse({ path });
  return deepFrozen(placedSource({ ...source, name, destination }, (relative) => relative));
}

type NamedSource = ParsedConfig['sources'][string] & { readonly name: string; readonly destination: string };

function placedSource(source: NamedSource, placed: (path: string) => string): SourceConfig {
  const path = placed(source.path);
  const manifest = source.manifest === undefined ? defaultManifest(path) : placed(source.manifest);
  const onSuccess = placedAction(source.onSuccess, placed);
  const onFailure = placedAction(source.onFailure, placed);
  const onSettled = placedCommand(source.onSettled, placed);
  const settle = source.settle ?? defaultSettleMs(onSuccess !== 'keep');
  return { ...source, path, manifest, onSuccess, onFailure, onSettled, settle };
}

function placedAction<Action extends AfterAction>(
  action: Action,
  placed: (path: string) => string,
): Action | { readonly moveTo: string } {
  return typeof action === 'object' ? { moveTo: placed(action.moveTo) } : action;
}

/** A program named by a path is looked for beside the config file, any other on the PATH. */
function placedCommand(
  sink: NamedSource['onSettled'],
  placed: (path: string) => string,
): NamedSource['onSettled'] {
  const [program = '', ...args] = sink?.command ?? [];
  if (sink === null || !/^\.\.?\//.test(program)) return sink;
  return { ...sink, command: [placed(program), ...args] };
}

function definitionsOf(
  parsed: ParsedConfig,
  sources: readonly SourceConfig[],
  baseDir: string,
): Record<string, DestinationDefinition> {
  const configured = mapRecord(parsed.destinations, (config, name) =>
    resolveDestination(name, config, baseDir),
  );
  const presets = sources
    .map((source) => source.destination)
    .filter((name) => !Object.hasOwn(configured, name) && presetNames().includes(name));
  const implied = presets.map((name) => [name, resolveDestination(name, { preset: name }, baseDir)] as const);
  const trial =
    !Object.hasOwn(configured, SANDBOX) && sources.some(({ destination }) => destination === SANDBOX)
      ? { [SANDBOX]: resolveDestination(SANDBOX, sandboxDestination(), baseDir) }
      : {};
  return { ...configured, ...Object.fromEntries(implied), ...trial };
}

function mapRecord<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From, key: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFrozen(part);
  return Object.freeze(value);
}
