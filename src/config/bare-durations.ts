import type { YamlPath } from '../platform/files/yaml-document.ts';
import type { Mistake } from './issues.ts';
import { nodesAt } from './json-schema.ts';

/**
 * Durations written as bare numbers: `settle: 2` reads as two seconds and would be two milliseconds. 0 is the same in
 * every unit. Looked for in the file only: inside, where definitions are put together, durations are numbers.
 */
export function bareDurations(tree: unknown, path: YamlPath = []): readonly Mistake[] {
  if (typeof tree === 'number') {
    return tree > 0 && isDuration(path)
      ? [{ path, message: `needs a unit: ${tree}s or ${tree}ms, for example` }]
      : [];
  }
  if (Array.isArray(tree)) return tree.flatMap((item, index) => bareDurations(item, [...path, index]));
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([key, item]) => bareDurations(item, [...path, key]));
}

/** True when the text form of the key at this path is a duration. */
export function isDuration(path: YamlPath): boolean {
  return nodesAt(path).some(({ pattern }) => pattern?.includes('(ms|s|m|h|d)'));
}
