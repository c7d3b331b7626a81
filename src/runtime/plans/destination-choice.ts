import { nearest } from '../../config/nearest.ts';
import type { ResolvedConfig } from '../../config/resolved-config.ts';
import { SANDBOX, sandboxDestination } from '../../config/sandbox-destination.ts';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import type { DestinationConfig } from '../../destinations/definition/definition-schema.ts';
import { mergeDefinition } from '../../destinations/definition/merge-definition.ts';
import { loadPreset, presetNames } from '../../destinations/definition/presets.ts';
import {
  destinationProblems,
  resolveDestination,
} from '../../destinations/definition/resolve-destination.ts';
import { type OpenDestination, openDestination } from '../../destinations/open-destination.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { HttpClient } from '../../platform/http/http-client.ts';

/**
 * The destination a command means: `--to` takes a configured one or a preset's name, and may be left out when exactly
 * one is configured.
 * @throws SlipwayError `usage` naming the choices, or the flags that the preset needs besides its name
 */
export function chooseDestination(
  config: ResolvedConfig,
  to: string | undefined,
  baseDir: string,
): DestinationDefinition {
  const name = destinationName(config, to);
  const definition = config.definitions[name];
  if (definition !== undefined) return definition;
  const written = writtenDestination(config, name);
  checkUsable(name, written);
  return { ...resolveDestination(name, written, baseDir), secrets: config.secrets };
}

/** @throws SlipwayError `usage` naming the choices */
export function destinationName(config: ResolvedConfig, to: string | undefined): string {
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
  const known = [...new Set([...Object.keys(config.definitions), ...configured, ...presetNames(), SANDBOX])];
  if (known.includes(name)) return name;
  const meant = nearest(name, known);
  const fix = meant === null ? `--to takes one of ${known.join(', ')}` : `did you mean ${meant}?`;
  throw new SlipwayError('usage', { problem: `there is no destination ${name}: ${fix}` });
}

/** What the config file says of a destination, else what its name alone says. The name is one that `--to` takes. */
export function writtenDestination(config: ResolvedConfig, name: string): DestinationConfig {
  return config.destinations[name] ?? (name === SANDBOX ? sandboxDestination() : { preset: name });
}

/** Whether the API says when an uploaded file can be used. */
export function waitsUntilReady(written: DestinationConfig): boolean {
  const preset = written.preset === undefined ? null : loadPreset(written.preset);
  const { readiness } = mergeDefinition(preset, written);
  return (
    destinationProblems('', { ...written, waitUntilReady: true }).length === 0 && readiness !== undefined
  );
}

/** @throws SlipwayError `usage` with every flag that is missing or wrong */
export function checkUsable(name: string, written: DestinationConfig): void {
  const problems = destinationProblems(name, written).map(
    ({ path, message }) => `${flagOf(name, path)}: ${message}`,
  );
  if (problems.length === 0) return;
  throw new SlipwayError('usage', { problem: `destination ${name} needs more: ${problems.join('; ')}` });
}

/** Where a person says it on the command line; what has no flag is said in the config file. */
function flagOf(name: string, [group, key]: readonly (string | number)[]): string {
  if (group === 'fields' && key !== undefined) return `--field ${key}=VALUE`;
  if (group === 'params' && key !== undefined) return `--param ${key}=VALUE`;
  if (group === 'url') return '--url';
  return ['destinations', name, group, key].filter((step) => step !== undefined).join('.');
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
