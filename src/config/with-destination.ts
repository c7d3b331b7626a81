import type { DestinationConfig } from '../destinations/definition/definition-schema.ts';
import { resolveDestination } from '../destinations/definition/resolve-destination.ts';
import type { LoadedConfig } from './load-config.ts';
import { secretValues } from './secret-values.ts';

/**
 * The configuration with one destination more, or another one under its name.
 * @throws SlipwayError `config_invalid` with all that is wrong with it
 */
export function withDestination<Loaded extends LoadedConfig>(
  loaded: Loaded,
  name: string,
  written: DestinationConfig,
): Loaded {
  const { config, baseDir, env } = loaded;
  const own = secretValues({ destinations: { [name]: written }, webhooks: [] }, [], env);
  const secrets = [...new Set([...config.secrets, ...own])];
  const definition = { ...resolveDestination(name, written, baseDir), secrets };
  return {
    ...loaded,
    config: {
      ...config,
      secrets,
      destinations: { ...config.destinations, [name]: written },
      definitions: { ...config.definitions, [name]: definition },
    },
  };
}
