import { presetNames } from '../destinations/definition/presets.ts';
import { GATEWAY_SOURCE } from '../domain/received-source.ts';
import type { Mistake } from './issues.ts';
import { SANDBOX } from './sandbox-destination.ts';

/** What the keys of `gateway` alone cannot show to be wrong. Works on the raw tree. */
export function gatewayMistakes(gateway: unknown, configured: readonly string[]): Mistake[] {
  if (!isRecord(gateway)) return [];
  const routes = isRecord(gateway.routes) ? gateway.routes : {};
  const prefixes = Object.keys(routes);
  const known =
    prefixes.length > 0 ? prefixes : ['/', ...configured.map((name) => `/${encodeURIComponent(name)}`)];
  return [
    ...Object.entries(routes).flatMap(([prefix, route]) => routeMistakes(prefix, route, configured)),
    ...listOf(gateway.keys).flatMap((key, index) => keyMistakes(key, index, known)),
    ...namesTwice(listOf(gateway.keys)),
  ];
}

export function reservedNames(sources: readonly string[]): Mistake[] {
  return sources
    .filter((name) => name.normalize('NFC').toLowerCase() === GATEWAY_SOURCE)
    .map((name) => ({
      path: ['sources', name],
      message: 'is the name of what comes in by `slipway gateway`: give the folder another one',
    }));
}

function routeMistakes(prefix: string, route: unknown, configured: readonly string[]): Mistake[] {
  if (!isRecord(route)) return [];
  const path = ['gateway', 'routes', prefix, 'destination'];
  const wanted = route.destination;
  const choices = configured.length > 0 ? configured.join(', ') : `a preset (${presetNames().join(', ')})`;
  if (wanted === undefined) {
    return configured.length === 1 ? [] : [{ path, message: `is required: name one of ${choices}` }];
  }
  if (typeof wanted !== 'string' || [...configured, ...presetNames(), SANDBOX].includes(wanted)) return [];
  return [{ path, message: `there is no destination \`${wanted}\`: name one of ${choices}` }];
}

function keyMistakes(key: unknown, index: number, prefixes: readonly string[]): Mistake[] {
  if (!isRecord(key)) return [];
  return listOf(key.routes).flatMap((prefix, at) =>
    typeof prefix !== 'string' || prefixes.includes(prefix)
      ? []
      : [
          {
            path: ['gateway', 'keys', index, 'routes', at],
            message: `there is no route \`${prefix}\`: the routes are ${prefixes.join(', ')}`,
          },
        ],
  );
}

function namesTwice(keys: readonly unknown[]): Mistake[] {
  const seen = new Set<unknown>();
  return keys.flatMap((key, index) => {
    const name = isRecord(key) ? key.name : undefined;
    if (typeof name !== 'string') return [];
    if (seen.has(name)) {
      return [
        { path: ['gateway', 'keys', index, 'name'], message: `there are two keys \`${name}\`: rename one` },
      ];
    }
    seen.add(name);
    return [];
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
