import { GATEWAY_SOURCE } from '../domain/received-source.ts';
import type { Mistake } from './issues.ts';
import { nearest } from './nearest.ts';

/** The command sink of a source (`onSettled`) is an endpoint of this name. */
const RESERVED = 'onSettled';

/**
 * What one webhook alone cannot show to be wrong. Works on the raw tree, so that it speaks although other keys are
 * wrong.
 */
export function webhookMistakes(webhooks: unknown, sources: readonly string[]): Mistake[] {
  if (!Array.isArray(webhooks)) return [];
  const first = new Map<string, number>();
  return webhooks.flatMap((webhook: unknown, index) => {
    if (typeof webhook !== 'object' || webhook === null) return [];
    const { name, sources: named } = webhook as { name?: unknown; sources?: unknown };
    return [...nameMistakes(name, index, first), ...sourceMistakes(named, index, sources)];
  });
}

function nameMistakes(name: unknown, index: number, first: Map<string, number>): Mistake[] {
  if (typeof name !== 'string') return [];
  const path = ['webhooks', index, 'name'];
  const key = name.normalize('NFC').toLowerCase();
  if (key === RESERVED.toLowerCase())
    return [{ path, message: `is kept for the \`${RESERVED}\` of sources: choose another name` }];
  const other = first.get(key);
  if (other === undefined) {
    first.set(key, index);
    return [];
  }
  const message = `is the name of webhooks[${other}] too: what it has been told hangs on the name, rename one`;
  return [{ path, message }];
}

function sourceMistakes(named: unknown, index: number, sources: readonly string[]): Mistake[] {
  if (!Array.isArray(named)) return [];
  return named.flatMap((source: unknown, at) => {
    if (typeof source !== 'string' || sources.includes(source) || source === GATEWAY_SOURCE) return [];
    const meant = nearest(source, sources);
    const known = sources.length === 0 ? 'none is configured' : `known are ${sources.join(', ')}`;
    const fix = meant === null ? known : `did you mean \`${meant}\`?`;
    return [
      { path: ['webhooks', index, 'sources', at], message: `there is no source \`${source}\`: ${fix}` },
    ];
  });
}
