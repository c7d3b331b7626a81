import { orderedSecrets, redactData, type Secrets } from '../destinations/answer/redact-secrets.ts';
import type { YamlPath } from '../platform/files/yaml-document.ts';
import { bytesText, durationText } from '../platform/units.ts';
import { isDuration } from './bare-durations.ts';
import type { Environment } from './env.ts';
import { nodesAt } from './json-schema.ts';
import type { ResolvedConfig } from './resolved-config.ts';

const SET = '(set)';

/** Names of fields and parameters whose value nobody should see over a shoulder. */
const SECRET_NAME = /key|token|secret|passw|auth|sign|credential|cookie/i;

/**
 * The resolved config as plain data in the form of the file, for people and logs: durations and sizes as text, and
 * nothing secret (G5). Tokens, headers and keys are shown as set or unset, URLs without user, password and query.
 * @param env where `token.env` is looked up
 */
export function redactConfig(config: ResolvedConfig, env: Environment): Record<string, unknown> {
  // The definitions say the same as the destinations, in compiled form.
  const { definitions: _, secrets, sources, ...rest } = config;
  const named = Object.entries(sources).map(([key, { name: _name, ...source }]) => [key, source]);
  const hidden = shown({ ...rest, sources: Object.fromEntries(named) }, [], env) as Record<string, unknown>;
  const known = orderedSecrets(secrets);
  // Where files go and what things are called is no secret, whatever it is equal to.
  return { ...hidden, destinations: withoutSecrets(hidden.destinations, known) };
}

/** Without the values of the list that logs and receipts are without too. */
function withoutSecrets(destinations: unknown, secrets: Secrets): unknown {
  return onEach(destinations, (destination) =>
    onEach(destination, (value, key) =>
      ['preset', 'region', 'url', 'params'].includes(key) ? value : redactData(value, secrets),
    ),
  );
}

function onEach(record: unknown, change: (value: unknown, key: string) => unknown): unknown {
  if (typeof record !== 'object' || record === null) return record;
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

function shown(value: unknown, path: YamlPath, env: Environment): unknown {
  const hidden = hiddenForm(value, path, env);
  if (hidden !== undefined) return hidden;
  if (typeof value === 'number') return quantityText(value, path);
  if (Array.isArray(value)) return value.map((item, index) => shown(item, [...path, index], env));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, shown(item, [...path, key], env)]),
  );
}

/** What is shown in place of a value that is, or may hold, a secret; undefined where it may be shown. */
function hiddenForm(value: unknown, path: YamlPath, env: Environment): unknown {
  const [group, second, key, inner] = path;
  if (group === 'redis' && second === 'url') return typeof value === 'string' ? publicRedisUrl(value) : value;
  if (group === 'redis' && (second === 'password' || second === 'sentinelPassword'))
    return value === null ? null : SET;
  if (group === 'webhooks' || key === 'onSettled') return hiddenWebhookPart(value, path);
  if (group !== 'destinations') return undefined;
  const depth = path.length;
  if (depth === 3 && key === 'url') return publicUrl(String(value));
  if (depth === 4 && (key === 'headers' || key === 'query')) return SET;
  if (depth === 4 && key === 'signer' && inner === 'key') return SET;
  if (depth === 4 && (key === 'fields' || key === 'params') && SECRET_NAME.test(String(inner))) return SET;
  if (depth === 4 && key === 'params' && typeof value === 'string' && value.includes('://'))
    return publicUrl(value);
  if (key !== 'token' || depth !== 4) return undefined;
  if (inner === 'value') return SET;
  if (inner === 'url') return publicUrl(String(value));
  if (inner === 'env') return `${String(value)} (${(env[String(value)] ?? '') === '' ? 'unset' : 'set'})`;
  if (inner === 'command') return commandName(value);
  return undefined;
}

/** The path of a webhook URL is as good as a password: many services put their token there. */
function hiddenWebhookPart(value: unknown, path: YamlPath): unknown {
  const key = path.at(-1);
  if (path[0] === 'webhooks' && path.length === 3) {
    if (key === 'url') return URL.parse(String(value))?.origin ?? SET;
    if (key === 'secret') return Array.isArray(value) ? value.map(() => SET) : SET;
  }
  if (path[0] === 'webhooks' && path.length === 4 && path[2] === 'headers') return SET;
  return path[0] === 'sources' && path.length === 4 && key === 'command' ? commandName(value) : undefined;
}

/** Scheme, host and path. A template (`{base}/files`) is no URL and has none of what is taken away. */
function publicUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return text.includes('@') ? SET : withoutQuery(text);
  const hasUser = url.username !== '' || url.password !== '';
  return hasUser ? `${url.protocol}//${SET}@${url.host}${url.pathname}` : withoutQuery(text);
}

/** A password with `#`, `/` or `?` in it is no valid URL, and all the more not to be shown: all up to the last `@` goes. */
function publicRedisUrl(text: string): string {
  return withoutQuery(text.replace(/\/\/.*@/s, `//${SET}@`));
}

function withoutQuery(text: string): string {
  return text.replace(/[?#].*$/s, '');
}

/** Arguments may hold a secret, and in a shell text anything may. */
function commandName(command: unknown): string {
  const [program, ...rest] = Array.isArray(command) ? command : String(command).trim().split(/\s+/, 2);
  return rest.length === 0 ? String(program) : `${String(program)} (arguments hidden)`;
}

/** A number that was written as a duration or a size is shown as one. */
function quantityText(value: number, path: YamlPath): number | string {
  const patterns = nodesAt(path).map((node) => node.pattern ?? '');
  if (isDuration(path)) return durationText(value);
  if (patterns.some((pattern) => pattern.includes('i?B'))) return bytesText(value);
  return value;
}
