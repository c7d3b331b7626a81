import { reservedNames } from './gateway-checks.ts';
import type { Mistake } from './issues.ts';

/** A name that a source had before, and that is not free. Works on the raw tree. */
export function renameMistakes(sources: readonly (readonly [name: string, value: unknown])[]): Mistake[] {
  const names = new Set(sources.map(([name]) => name));
  const said = new Map<string, string>();
  return sources.flatMap(([name, value]) => {
    const was = (value as { renamedFrom?: unknown } | null)?.renamedFrom;
    if (typeof was !== 'string') return [];
    const mistake = (message: string): Mistake[] => [{ path: ['sources', name, 'renamedFrom'], message }];
    if (was === name) return mistake('is its own name: give the one it had before, or leave the key out');
    if (names.has(was)) return mistake(`\`${was}\` is still a source of this file: take one of the two out`);
    if (reservedNames([was]).length > 0) return mistake('is the name of what comes in by `slipway gateway`');
    const other = said.get(was);
    said.set(was, name);
    return other === undefined
      ? []
      : mistake(`source ${other} was \`${was}\` too: only one can go on with it`);
  });
}
