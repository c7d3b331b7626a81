import { perSecondOf } from '../../pacing/options.ts';
import type { DestinationConfig, Preset, WholeDefinition } from './definition-schema.ts';

/** Keys in which an override replaces single entries; everywhere else it replaces the whole value. */
const MERGED = [
  'params',
  'regions',
  'query',
  'headers',
  'fields',
  'auth',
  'success',
  'answer',
  'limits',
  'allowedFields',
] as const;

/** What describes the preset or the user's wishes and is no part of a definition. */
const NOT_DEFINITION = new Set([
  ...['title', 'checked', 'source', 'verified', 'rate', 'list', 'get', 'remove', 'content'],
  ...['preset', 'acknowledgePublic', 'waitUntilReady', 'concurrency'],
]);

/**
 * A preset with a user's overrides laid over it, still without defaults.
 * The user's error rules come first, so that one line can overrule a preset.
 */
export function mergeDefinition(preset: Preset | null, config: DestinationConfig): Partial<WholeDefinition> {
  const base = definitionPart(preset ?? {});
  const over = definitionPart(config);
  const merged: Record<string, unknown> = { ...base, ...over };
  for (const key of MERGED) {
    const [under, above] = [base[key], over[key]];
    if (isRecord(under) && isRecord(above)) merged[key] = { ...under, ...above };
  }
  merged.errors = [...(config.errors ?? []), ...(preset?.errors ?? [])];
  return merged;
}

/** The user's quota, else the one the service documents; null: none. */
export function quotaOf(
  preset: Preset | null,
  config: DestinationConfig,
): { readonly perSecond: number } | null {
  const rate = config.rate === undefined ? (preset?.rate ?? null) : config.rate;
  return rate === null ? null : { perSecond: perSecondOf(rate) };
}

function definitionPart(source: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(source).filter(([key, value]) => value !== undefined && !NOT_DEFINITION.has(key)),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
