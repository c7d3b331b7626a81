import { relative } from 'node:path';
import {
  type DestinationConfig,
  destinationConfigSchema,
} from '../destinations/definition/definition-schema.ts';
import { presetNames } from '../destinations/definition/presets.ts';
import { destinationProblems } from '../destinations/definition/resolve-destination.ts';
import { parseBytes } from '../platform/units.ts';
import { bareDurations } from './bare-durations.ts';
import { gatewayMistakes, reservedNames } from './gateway-checks.ts';
import type { Mistake } from './issues.ts';
import { nearest } from './nearest.ts';
import { defaultManifest } from './place.ts';
import { redisMistakes } from './redis-checks.ts';
import { renameMistakes } from './rename-checks.ts';
import { SANDBOX } from './sandbox-destination.ts';
import { webhookMistakes } from './webhook-checks.ts';

/** What one key alone cannot show to be wrong. Works on the raw tree, so that it speaks although other keys are wrong. */
export function crossChecks(tree: unknown, placed: (path: string) => string): readonly Mistake[] {
  const destinations = entriesOf(tree, 'destinations');
  const sources = entriesOf(tree, 'sources');
  return [
    ...bareDurations(tree),
    ...redisMistakes(at(tree, 'redis')),
    ...destinations.flatMap(([name, value]) => destinationMistakes(name, value)),
    ...sources.flatMap(([name, value]) =>
      unknownDestination(
        name,
        value,
        destinations.map(([key]) => key),
      ),
    ),
    ...namesTwice(
      'sources',
      sources.map(([name]) => name),
    ),
    ...namesTwice(
      'destinations',
      destinations.map(([name]) => name),
    ),
    ...reservedNames(sources.map(([key]) => key)),
    ...renameMistakes(sources),
    ...gatewayMistakes(
      at(tree, 'gateway'),
      destinations.map(([key]) => key),
    ),
    ...webhookMistakes(
      at(tree, 'webhooks'),
      sources.map(([name]) => name),
    ),
    ...sharedManifests(sources, placed),
    ...moveTargets(sources, placed),
    ...sources.flatMap(([name, value]) => emptyRange(name, value)),
  ];
}

/** Things that work and may still not be meant. */
export function warningsOf(tree: unknown, placed: (path: string) => string): readonly Mistake[] {
  const literalTokens = entriesOf(tree, 'destinations')
    .filter(([, value]) => textAt(at(value, 'token'), 'value') !== null)
    .map(([name]) => ({
      path: ['destinations', name, 'token', 'value'],
      message: 'whoever reads this file has the token: use `env` or `file` instead',
    }));
  const roots = entriesOf(tree, 'sources').flatMap(([name, value]) => {
    const path = textAt(value, 'path');
    return path === null ? [] : [{ name, root: placed(path) }];
  });
  const nested = roots.flatMap((inner) =>
    roots
      .filter((outer) => outer !== inner && isInside(inner.root, outer.root))
      .map((outer) => ({
        path: ['sources', inner.name, 'path'],
        message: `lies inside the folder of source ${outer.name}: its files are taken by both`,
      })),
  );
  return [...literalTokens, ...nested];
}

function destinationMistakes(name: string, value: unknown): Mistake[] {
  const unknown = unknownPreset(name, value);
  if (unknown !== null) return [unknown];
  const parsed = destinationConfigSchema.safeParse(value);
  if (!parsed.success) return [];
  if (parsed.data.preset === undefined && parsed.data.url === undefined && presetNames().includes(name)) {
    return [
      {
        path: ['destinations', name],
        message: `has no url: add \`preset: ${name}\`, or describe the API yourself`,
      },
    ];
  }
  return destinationProblems(name, parsed.data).map(({ path, message }) => ({
    path: ['destinations', name, ...path],
    message,
  }));
}

/** Said although other keys of the destination are wrong: all mistakes are told at once. */
function unknownPreset(name: string, value: unknown): Mistake | null {
  const preset = textAt(value, 'preset');
  if (preset === null || presetNames().includes(preset)) return null;
  const meant = nearest(preset, presetNames());
  const fix = meant === null ? `use one of ${presetNames().join(', ')}` : `did you mean \`${meant}\`?`;
  return {
    path: ['destinations', name, 'preset'],
    message: `there is no preset ${JSON.stringify(preset)}: ${fix}`,
  };
}

/** The destination a source without one means: the only one there is; null when there is none or a choice. */
export function onlyDestination(destinations: Readonly<Record<string, DestinationConfig>>): string | null {
  const names = Object.keys(destinations);
  return names.length === 1 ? (names[0] ?? null) : null;
}

function unknownDestination(source: string, value: unknown, configured: readonly string[]): Mistake[] {
  if (typeof value !== 'object' || value === null) return [];
  const path = ['sources', source, 'destination'];
  const wanted = at(value, 'destination');
  if (wanted === undefined) {
    if (configured.length === 1) return [];
    const choice = configured.length === 0 ? `a preset (${presetNames().join(', ')})` : configured.join(', ');
    return [{ path, message: `is required: name one of ${choice}` }];
  }
  if (typeof wanted !== 'string' || configured.includes(wanted) || wanted === SANDBOX) return [];
  if (presetNames().includes(wanted)) return usablePreset(wanted, path);
  const meant = nearest(wanted, [...configured, ...presetNames(), SANDBOX]);
  const fix =
    meant === null
      ? `configure it under \`destinations\`, or name a preset (${presetNames().join(', ')})`
      : `did you mean \`${meant}\`?`;
  return [{ path, message: `there is no destination \`${wanted}\`: ${fix}` }];
}

/** A preset that leaves something open (an agent id, a purpose) cannot be used by its name alone. */
function usablePreset(name: string, path: readonly string[]): Mistake[] {
  return destinationProblems(name, { preset: name }).map((problem) => ({
    path,
    message: `the preset \`${name}\` needs more than its name: configure it under \`destinations\`, with ${problem.path.join('.')} (${problem.message})`,
  }));
}

/** File systems that ignore case would give both the same folder. */
function namesTwice(group: string, names: readonly string[]): Mistake[] {
  const first = new Map<string, string>();
  return names.flatMap((name) => {
    const key = name.normalize('NFC').toLowerCase();
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, name);
      return [];
    }
    return [
      { path: [group, name], message: `differs from \`${other}\` in upper and lower case only: rename one` },
    ];
  });
}

function sharedManifests(
  sources: readonly (readonly [string, unknown])[],
  placed: (path: string) => string,
): Mistake[] {
  const first = new Map<string, string>();
  return sources.flatMap(([name, value]) => {
    const folder = textAt(value, 'path');
    const manifest = textAt(value, 'manifest');
    if (folder === null) return [];
    const file = manifest === null ? defaultManifest(placed(folder)) : placed(manifest);
    // x, x.json and x.jsonl all meet in the journal x.jsonl.
    const key = file.replace(/\.jsonl?$/, '');
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, name);
      return [];
    }
    return [
      {
        path: ['sources', name, manifest === null ? 'path' : 'manifest'],
        message: `would write the same manifest as source ${other} (${file}): give one of them a \`manifest\` of its own`,
      },
    ];
  });
}

/** What is moved into a watched folder would be uploaded from there, and moved, again and again. */
function moveTargets(
  sources: readonly (readonly [string, unknown])[],
  placed: (path: string) => string,
): Mistake[] {
  const roots = sources.flatMap(([name, value]) => {
    const path = textAt(value, 'path');
    return path === null ? [] : [{ name, root: placed(path) }];
  });
  return sources.flatMap(([name, value]) =>
    ['onSuccess', 'onFailure'].flatMap((key) => {
      const folder = textAt(at(value, key), 'moveTo');
      const watched = roots.find(({ root }) => folder !== null && isInside(root, placed(folder)));
      if (watched === undefined) return [];
      const message = `is, or holds, the folder of source ${watched.name}: files moved there would be uploaded again; name a folder inside it or elsewhere`;
      return [{ path: ['sources', name, key, 'moveTo'], message }];
    }),
  );
}

/** No file would ever be sent. */
function emptyRange(name: string, value: unknown): Mistake[] {
  const [least, most] = [bytesAt(value, 'minBytes'), bytesAt(value, 'maxBytes')];
  if (least === null || most === null || least <= most) return [];
  return [
    {
      path: ['sources', name, 'minBytes'],
      message: 'is more than maxBytes: no file is as large as both ask',
    },
  ];
}

function isInside(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way === '' || (way !== '..' && !way.startsWith('../') && !way.startsWith('/'));
}

function entriesOf(tree: unknown, key: string): readonly (readonly [string, unknown])[] {
  const group = at(tree, key);
  return typeof group === 'object' && group !== null && !Array.isArray(group) ? Object.entries(group) : [];
}

function at(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

function bytesAt(value: unknown, key: string): number | null {
  const size = at(value, key);
  return typeof size === 'string' || typeof size === 'number' ? parseBytes(size) : null;
}

function textAt(value: unknown, key: string): string | null {
  const text = at(value, key);
  return typeof text === 'string' ? text : null;
}
