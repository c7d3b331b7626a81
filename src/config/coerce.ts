import type { YamlPath } from '../platform/files/yaml-document.ts';
import { nodesAt } from './json-schema.ts';

/**
 * A variable is always text, a key may want a number or a switch: `maxPending: ${MAX_PENDING}`. Values that were filled
 * in take the type their key wants, where it does not take a text; one that is empty is null where null is allowed.
 * @param filled as `interpolate` gives it
 */
export function coerceFilled(tree: unknown, filled: ReadonlySet<string>): unknown {
  if (filled.size === 0) return tree;

  function walk(node: unknown, path: YamlPath): unknown {
    if (typeof node === 'string') return filled.has(JSON.stringify(path)) ? typed(node, path) : node;
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]));
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, walk(item, [...path, key])]));
  }
  return walk(tree, []);
}

function typed(text: string, path: YamlPath): unknown {
  const nodes = nodesAt(path);
  const takes = (type: string): boolean => nodes.some((node) => [node.type].flat().includes(type));
  if (text === '' && takes('null')) return null;
  const takesAnyText = nodes.some(
    (node) => [node.type].flat().includes('string') && node.const === undefined && node.enum === undefined,
  );
  if (takesAnyText) return text;
  if ((takes('number') || takes('integer')) && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (takes('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
