import type { ResolvedConfig } from '../../config/resolved-config.ts';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import { presetNames } from '../../destinations/definition/presets.ts';
import { resolveDestination } from '../../destinations/definition/resolve-destination.ts';
import { type OpenDestination, openDestination } from '../../destinations/open-destination.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { HttpClient } from '../../platform/http/http-client.ts';

/**
 * The destination a command means: `--to` takes a configured one or a preset's name, and may be left out when exactly
 * one is configured.
 * @throws SlipwayError `usage` naming the choices
 */
export function chooseDestination(
  config: ResolvedConfig,
  to: string | undefined,
  baseDir: string,
): DestinationDefinition {
  const configured = Object.keys(config.destinations);
  const [only] = configured;
  if (to === undefined && configured.length !== 1) {
    const problem =
      configured.length === 0
        ? 'which destination? None is configured: pass --to with a preset (see slipway destinations list) or configure one'
        : `which destination? Pass --to with one of ${configured.join(', ')}`;
    throw new SlipwayError('usage', { problem });
  }
  const name = to ?? only ?? '';
  const definition = config.definitions[name];
  if (definition !== undefined) return definition;
  if (presetNames().includes(name)) return resolveDestination(name, { preset: name }, baseDir);
  const choices = [...new Set([...configured, ...presetNames()])].join(', ');
  throw new SlipwayError('usage', {
    problem: `there is no destination ${name}: --to takes one of ${choices}`,
  });
}

/** Brings a definition to life with this process's means. */
export function openChosen(
  definition: DestinationDefinition,
  means: {
    readonly http: HttpClient;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly log: Log;
  },
): OpenDestination {
  return openDestination(definition, {
    fetchText: means.http.fetchText,
    log: means.log,
    now: Date.now,
    random: Math.random,
    env: means.env,
  });
}
