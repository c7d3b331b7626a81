import type { YamlPath } from '../platform/files/yaml-document.ts';
import type { Environment } from './env.ts';

/** What the command line says; beats the environment, which beats the file. */
export interface ConfigFlags {
  readonly logLevel?: string | undefined;
}

/** A value from outside the file, and where it came from. */
export interface Override {
  readonly path: readonly [group: string, key: string];
  readonly value: string;
  readonly origin: string;
}

/** Flag before environment; what neither says stays as the file has it. */
export function overridesOf(flags: ConfigFlags, env: Environment): readonly Override[] {
  const path = ['log', 'level'] as const;
  if (flags.logLevel !== undefined) return [{ path, value: flags.logLevel, origin: '--log-level' }];
  const level = env.SLIPWAY_LOG_LEVEL;
  return level === undefined || level === '' ? [] : [{ path, value: level, origin: 'SLIPWAY_LOG_LEVEL' }];
}

/** The tree of the file with the overrides laid over it. */
export function withOverrides(
  tree: Readonly<Record<string, unknown>>,
  overrides: readonly Override[],
): Record<string, unknown> {
  const changed: Record<string, unknown> = { ...tree };
  for (const { path, value } of overrides) {
    const [group, key] = path;
    const before = changed[group] ?? {};
    // A group of the wrong type stays as it is, so that it is reported.
    if (isGroup(before)) changed[group] = { ...before, [key]: value };
  }
  return changed;
}

/** Names the flag or variable a path was set by; null where it was the file. */
export function originIn(overrides: readonly Override[]): (path: YamlPath) => string | null {
  return (path) => overrides.find((override) => override.path.join('\0') === path.join('\0'))?.origin ?? null;
}

/** A YAML mapping, as opposed to a list or a single value. */
export function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
