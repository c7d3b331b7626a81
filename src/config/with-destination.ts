import type { DestinationConfig } from '../destinations/definition/definition-schema.ts';
import { resolveDestination } from '../destinations/definition/resolve-destination.ts';
import type { LoadedConfig } from './load-config.ts';

/**
 * The configuration with one destination more, or another one under its name.
 * @throws SlipwayError `config_invalid` with all that is wrong with it
 */
export function withDestination<Loaded extends LoadedConfig>(
  loaded: Loaded,
  name: string,
  written: DestinationConfig,
): Loaded {
  const { config, baseDir } = loaded;
  const definition = resolveDestination(name, written, baseDir);
  return {
    ...loaded,
    config: {
      ...config,
      destinations: { ...config.destinations, [name]: written },
      definitions: { ...config.definitions, [name]: definition },
    },
  };
}
