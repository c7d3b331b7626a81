import type { Environment } from '../../config/env.ts';
import type { ResolvedConfig } from '../../config/resolved-config.ts';
import { loadPreset, presetNames } from '../../destinations/definition/presets.ts';
import {
  destinationProblems,
  resolveDestination,
} from '../../destinations/definition/resolve-destination.ts';
import type { TokenSource } from '../../destinations/token/token-options.ts';

/** One destination that `--to` takes. */
export interface DestinationRow {
  readonly name: string;
  /** `configured`: in the config file. */
  readonly kind: 'configured' | 'preset';
  /** null: a definition of the user's own. */
  readonly preset: string | null;
  readonly title: string | null;
  readonly visibility: string;
  /** How the preset was checked and when; null for what the user wrote. */
  readonly verified: string | null;
  readonly checked: string | null;
  /** Where uploads go, without query; a template where something has to be set first. */
  readonly url: string;
  /** Where the token comes from, never the token; null: none. */
  readonly token: string | null;
  /** What has to be set before it can be used, as `key: why`. */
  readonly needs: readonly string[];
}

/** What the config file names, then the presets. */
export function destinationRows(config: ResolvedConfig | null, env: Environment): readonly DestinationRow[] {
  const configured = config === null ? [] : Object.keys(config.destinations);
  return [
    ...configured.flatMap((name) => configuredRow(name, config, env)),
    ...presetNames().map((name) => presetRow(name, env)),
  ];
}

function configuredRow(name: string, config: ResolvedConfig | null, env: Environment): DestinationRow[] {
  const definition = config?.definitions[name];
  if (definition === undefined) return [];
  const { preset, visibility, url, token } = definition;
  return [
    {
      name,
      kind: 'configured',
      preset,
      title: preset === null ? null : loadPreset(preset).title,
      visibility,
      verified: null,
      checked: null,
      url: withoutQuery(url),
      token: whereFrom(token, env),
      needs: tokenNeeds(token, env),
    },
  ];
}

/** One preset as it is without any setting. */
export function presetRow(name: string, env: Environment): DestinationRow {
  const { title, visibility, verified, checked, url = '', token = null } = loadPreset(name);
  const problems = destinationProblems(name, { preset: name });
  return {
    name,
    kind: 'preset',
    preset: name,
    title,
    visibility,
    verified,
    checked,
    url: problems.length > 0 ? url : withoutQuery(resolveDestination(name, { preset: name }).url),
    token: whereFrom(token, env),
    needs: [
      ...problems.map(({ path, message }) => `${path.join('.')}: ${message}`),
      ...tokenNeeds(token, env),
    ],
  };
}

function whereFrom(token: TokenSource | null, env: Environment): string | null {
  if (token === null) return null;
  if ('env' in token) return `$${token.env}${isSet(env, token.env) ? '' : ' (not set)'}`;
  if ('url' in token) return withoutQuery(token.url);
  if ('file' in token) return token.file;
  return 'command' in token ? 'a command' : 'in the config file';
}

function tokenNeeds(token: TokenSource | null, env: Environment): string[] {
  return token !== null && 'env' in token && !isSet(env, token.env)
    ? [`token: set the environment variable ${token.env}`]
    : [];
}

function isSet(env: Environment, name: string): boolean {
  return (env[name] ?? '') !== '';
}

/** A query, or a user name, may be a secret (G5). */
function withoutQuery(text: string): string {
  const url = URL.parse(text);
  return url === null ? '' : `${url.origin}${decodeBraces(url.pathname)}`;
}

/** A URL has its braces encoded; people shall see the template. */
function decodeBraces(path: string): string {
  return path.replaceAll('%7B', '{').replaceAll('%7D', '}');
}
