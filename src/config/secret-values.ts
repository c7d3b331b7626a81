import type { DestinationConfig } from '../destinations/definition/definition-schema.ts';
import { loadPreset, presetNames } from '../destinations/definition/presets.ts';
import type { YamlPath } from '../platform/files/yaml-document.ts';
import type { Environment } from './env.ts';
import type { FilledVariable } from './interpolate.ts';
import type { ParsedConfig } from './schema.ts';

type Configured = Pick<ParsedConfig, 'destinations' | 'webhooks'>;

/**
 * The one list of configured values that are shown nowhere (G5): not in answers, receipts, logs, nor by `config show`.
 * Values of headers and queries, of text fields that are not known to be harmless, credentials, and of variables that
 * stand in one of these. Never what stands in `url`, `params` and paths: where files go is no secret.
 */
export function secretValues(
  config: Configured,
  variables: readonly FilledVariable[],
  env: Environment,
): readonly string[] {
  const written = Object.values(config.destinations).flatMap((destination) => valuesOf(destination, env));
  const told = config.webhooks.flatMap(({ secret, headers }) => [secret, Object.values(headers)].flat());
  const filled = variables.filter(({ path }) => isSecretPlace(path, config)).map(({ value }) => value);
  return [...new Set([...written, ...told, ...filled])].filter((value) => value.trim() !== '');
}

function valuesOf(destination: DestinationConfig, env: Environment): string[] {
  const { headers = {}, query = {}, fields = {}, signer } = destination;
  const preset = presetOf(destination);
  const token = destination.token ?? preset?.token;
  const constants = new Set(Object.values(preset?.headers ?? {}));
  const values = [...Object.values(headers), ...Object.values(query)].filter((text) => !constants.has(text));
  for (const [field, value] of Object.entries(fields))
    if (value !== null && !isKnownField(field, destination)) values.push(...textParts(String(value)));
  if (token !== undefined && token !== null) {
    if ('value' in token) values.push(token.value);
    if ('env' in token) values.push(env[token.env] ?? '');
  }
  if (typeof signer === 'object') values.push(signer.key);
  return values;
}

/** The name of the file, put into a field, is no secret; what stands around it may be one. */
function textParts(template: string): string[] {
  return template.split(/\{(?:filename|extension)\}/);
}

/** Whether the API is known to take this text field: then its values are words of the API. */
export function isKnownField(field: string, destination: DestinationConfig): boolean {
  const preset = presetOf(destination);
  return [destination.allowedFields, preset?.allowedFields, preset?.fields].some(
    (known) => known !== undefined && known !== null && Object.hasOwn(known, field),
  );
}

function presetOf({ preset }: DestinationConfig) {
  return preset !== undefined && presetNames().includes(preset) ? loadPreset(preset) : null;
}

function isSecretPlace([group, name, key, inner]: YamlPath, config: Configured): boolean {
  if (group === 'webhooks') return key === 'secret' || key === 'headers';
  if (group !== 'destinations') return false;
  if (key === 'headers' || key === 'query') return true;
  if (key === 'signer') return inner === 'key' || inner === 'appid';
  if (key === 'token') return inner === 'value' || inner === 'command';
  const destination = config.destinations[String(name)];
  return key === 'fields' && destination !== undefined && !isKnownField(String(inner), destination);
}
